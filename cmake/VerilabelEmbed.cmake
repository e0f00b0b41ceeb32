# verilabel_embed(TARGET FILE…): the bytes of text files become part of a target. FILE report/page.css is there as
#
#     namespace verilabel::embedded { std::string_view page_css(); }
#
# which whoever wants it declares. The source is written when CMake runs, so that tools that read compile_commands.json find it
# without a build; a changed file makes the next build run CMake.
function(verilabel_embed target)
  foreach(file IN LISTS ARGN)
    get_filename_component(name "${file}" NAME)
    string(MAKE_C_IDENTIFIER "${name}" symbol)
    file(READ "${CMAKE_CURRENT_SOURCE_DIR}/${file}" content HEX)
    string(REGEX REPLACE "(................................................................)" "\\1\n" content "${content}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," content "${content}")
    set(source "${CMAKE_CURRENT_BINARY_DIR}/embedded/${symbol}.cpp")
    file(CONFIGURE OUTPUT "${source}" @ONLY CONTENT "#include <string_view>

namespace verilabel::embedded {
namespace {

constexpr char kContent[] = {
@content@
};

}  // namespace

std::string_view @symbol@() {
  return {kContent, sizeof(kContent)};
}

}  // namespace verilabel::embedded
")
    target_sources(${target} PRIVATE "${source}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
  endforeach()
endfunction()
