# Flags that every target of ours gets, and nothing of anyone else's.
function(verilabel_configure_target target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # false alarms of GCC 12 on std::string
  if(VERILABEL_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(VERILABEL_SANITIZE)
    list(JOIN VERILABEL_SANITIZE "," sanitizers)
    target_compile_options(${target} PRIVATE -fsanitize=${sanitizers} -fno-omit-frame-pointer)
    if(NOT "thread" IN_LIST VERILABEL_SANITIZE)
      target_compile_options(${target} PRIVATE -fno-sanitize-recover=all)
    endif()
    # Old tags: OpenCV too gets the TBB of OpenVINO's wheel, because that of Debian 12 ends the process under a sanitizer.
    target_link_options(${target} PRIVATE -fsanitize=${sanitizers} -Wl,--disable-new-dtags)
  endif()
  if(VERILABEL_FUZZERS)
    # What libFuzzer steers by, and the library's own checks of indices.
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
    target_compile_definitions(${target} PRIVATE _GLIBCXX_ASSERTIONS)
  endif()
endfunction()

# verilabel_module(NAME SOURCES … [USES module…] [LIBRARIES target…] [PUBLIC_LIBRARIES target…] [TESTS …])
#
# One static library verilabel_NAME, aliased verilabel::NAME, from an explicit list of files. USES names lower modules (public);
# LIBRARIES third-party targets that no public header of the module shows. TESTS builds NAME_test; CTest knows its cases as
# NAME/Suite.Case.
function(verilabel_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;LIBRARIES;PUBLIC_LIBRARIES;TESTS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "verilabel_module(${name}): unknown words ${arg_UNPARSED_ARGUMENTS}")
  endif()
  add_library(verilabel_${name} STATIC ${arg_SOURCES})
  add_library(verilabel::${name} ALIAS verilabel_${name})
  target_include_directories(verilabel_${name} PUBLIC "${PROJECT_SOURCE_DIR}/src")
  list(TRANSFORM arg_USES PREPEND verilabel::)
  target_link_libraries(verilabel_${name} PUBLIC ${arg_USES} ${arg_PUBLIC_LIBRARIES} fmt::fmt PRIVATE ${arg_LIBRARIES})
  verilabel_configure_target(verilabel_${name})

  if(VERILABEL_TESTS AND arg_TESTS)
    add_executable(${name}_test ${arg_TESTS})
    target_link_libraries(${name}_test PRIVATE verilabel::${name} ${arg_LIBRARIES} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE
      VERILABEL_SOURCE_DIR="${PROJECT_SOURCE_DIR}" VERILABEL_VENV="${VERILABEL_VENV}")
    set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/tests" BUILD_RPATH "${PROJECT_BINARY_DIR}")
    verilabel_configure_target(${name}_test)
    # The code under test is optimised; its tests are compiled a quarter faster without.
    target_compile_options(${name}_test PRIVATE $<$<CONFIG:Release>:-O1>)
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}/" DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
  endif()
endfunction()
