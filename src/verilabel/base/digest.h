#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace verilabel {

/// A hash of bytes that come in pieces.
class Digest {
 public:
  enum class Kind : std::uint8_t { sha1, sha256 };

  explicit Digest(Kind kind);
  void add(std::string_view bytes);
  /// In lower-case hexadecimal. Nothing can be added afterwards.
  std::string finish();

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> state_;
};

}  // namespace verilabel
