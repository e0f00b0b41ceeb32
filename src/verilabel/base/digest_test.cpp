#include "verilabel/base/digest.h"

#include <gtest/gtest.h>

namespace verilabel {
namespace {

std::string digest_of(Digest::Kind kind, std::initializer_list<std::string_view> pieces) {
  Digest digest(kind);
  for (const auto piece : pieces) {
    digest.add(piece);
  }
  return digest.finish();
}

// FIPS 180-4, the examples of NIST.
TEST(Digest, HashesAsTheStandardSays) {
  EXPECT_EQ(digest_of(Digest::Kind::sha1, {"abc"}), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest_of(Digest::Kind::sha256, {"abc"}), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_of(Digest::Kind::sha256, {}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Digest, PiecesHashLikeTheWhole) {
  EXPECT_EQ(digest_of(Digest::Kind::sha1, {"a", "", "bc"}), digest_of(Digest::Kind::sha1, {"abc"}));
  EXPECT_EQ(digest_of(Digest::Kind::sha256, {"ab", "c"}), digest_of(Digest::Kind::sha256, {"abc"}));
}

}  // namespace
}  // namespace verilabel
