# Compiler settings shared by all of our own targets: link to kelpmq_compiler.
add_library(kelpmq_compiler INTERFACE)
target_include_directories(kelpmq_compiler INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(kelpmq_compiler INTERFACE -Wall -Wextra -Wno-unused-parameter)
if(KELPMQ_WARNINGS_AS_ERRORS)
  target_compile_options(kelpmq_compiler INTERFACE -Werror)
endif()

if(KELPMQ_SANITIZER)
  target_compile_options(kelpmq_compiler INTERFACE -fsanitize=${KELPMQ_SANITIZER} -fno-omit-frame-pointer -g1
    -Wno-maybe-uninitialized)  # GCC sees ghosts in instrumented code
  target_link_options(kelpmq_compiler INTERFACE -fsanitize=${KELPMQ_SANITIZER})
endif()

find_program(KELPMQ_CCACHE ccache)
if(KELPMQ_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${KELPMQ_CCACHE})
endif()
find_program(KELPMQ_MOLD mold)
if(KELPMQ_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
