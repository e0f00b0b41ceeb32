#include "verilabel/base/digest.h"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "verilabel/base/error.h"

namespace verilabel {
namespace {

void require(bool holds) {
  if (!holds) {
    throw Error(ErrorCode::internal, "the cryptographic library refused to compute a hash");
  }
}

}  // namespace

Digest::Digest(Kind kind) : state_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  require(state_ && EVP_DigestInit_ex(state_.get(), kind == Kind::sha1 ? EVP_sha1() : EVP_sha256(), nullptr) == 1);
}

void Digest::add(std::string_view bytes) {
  require(EVP_DigestUpdate(state_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(state_.get(), digest.data(), &size) == 1);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += fmt::format("{:02x}", digest[i]);
  }
  return text;
}

}  // namespace verilabel
