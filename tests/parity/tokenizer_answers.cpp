// What our tokenizers say, for check_tokenizers.py: tokenizer_answers TOKENIZER [--no-marks]. Reads texts from standard input, each
// as a 32-bit size and its bytes; writes for each a 32-bit count, and ids and spans of as many tokens as 32-bit numbers (id, begin,
// end); for a text that is refused, the count is 2^32 - 1, and the size and the words of the error follow.

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "verilabel/base/error.h"
#include "verilabel/text/tokenizer.h"

namespace {

bool read_number(std::uint32_t& number) {
  return std::fread(&number, sizeof number, 1, stdin) == 1;
}

void write_number(std::size_t number) {
  const auto value = static_cast<std::uint32_t>(number);
  std::fwrite(&value, sizeof value, 1, stdout);
}

void answer(const verilabel::Tokenizer& tokenizer, std::string_view text, const verilabel::EncodeOptions& options) {
  try {
    const verilabel::Encoding encoding = tokenizer.encode(text, options);
    write_number(encoding.ids.size());
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
      write_number(static_cast<std::size_t>(encoding.ids[i]));
      write_number(encoding.spans[i].begin);
      write_number(encoding.spans[i].end);
    }
  } catch (const verilabel::Error& error) {
    write_number(UINT32_MAX);
    write_number(error.message().size());
    std::fwrite(error.message().data(), 1, error.message().size(), stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) {
      std::fputs("usage: tokenizer_answers TOKENIZER [--no-marks]\n", stderr);
      return 2;
    }
    const auto tokenizer = verilabel::Tokenizer::load(argv[1]);
    verilabel::EncodeOptions options;
    options.add_marks = argc < 3 || std::string_view(argv[2]) != "--no-marks";
    std::uint32_t size = 0;
    std::string text;
    while (read_number(size)) {
      text.resize(size);
      if (std::fread(text.data(), 1, size, stdin) != size) {
        std::fputs("tokenizer_answers: standard input ends within a text\n", stderr);
        return 1;
      }
      answer(tokenizer, text, options);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tokenizer_answers: %s\n", error.what());
    return 1;
  }
}
