// Loads a tokenizer and encodes a list of texts; tokenizer_bench.py compares with the peer.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/file.h"
#include "verilabel/text/tokenizer.h"

namespace {

using namespace verilabel;

/// One text a line.
std::vector<std::string> lines_of(const char* path) {
  const std::string content = read_file(path);
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = std::min(content.find('\n', begin), content.size());
    lines.push_back(content.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// Milliseconds of the quickest round.
template <typename Work>
double quickest(int rounds, const Work& work) {
  double best = 1e300;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    best = std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: tokenizer_bench TOKENIZER TEXTS ROUNDS; tokenizer_bench.py writes both and runs this\n", stderr);
    return 2;
  }
  try {
    const std::vector<std::string> texts = lines_of(argv[2]);
    const int rounds = std::stoi(argv[3]);
    fmt::print("load {}\n", quickest(rounds, [&] { Tokenizer::load(argv[1]); }));
    const Tokenizer tokenizer = Tokenizer::load(argv[1]);
    std::vector<Encoding> encodings;
    fmt::print("encode {}\n", quickest(rounds, [&] { encodings = tokenizer.encode_all(texts); }));
    std::size_t tokens = 0;
    for (const Encoding& encoding : encodings) {
      tokens += encoding.ids.size();
    }
    fmt::print("tokens {}\n", tokens);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
