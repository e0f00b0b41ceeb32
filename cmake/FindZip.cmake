# The CMake package of Debian's libzip-dev asks for programs that are in other packages. Defines zip::zip.
find_path(Zip_INCLUDE_DIR zip.h)
find_library(Zip_LIBRARY zip)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Zip REQUIRED_VARS Zip_LIBRARY Zip_INCLUDE_DIR)

if(Zip_FOUND AND NOT TARGET zip::zip)
  add_library(zip::zip UNKNOWN IMPORTED)
  set_target_properties(zip::zip PROPERTIES
    IMPORTED_LOCATION "${Zip_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${Zip_INCLUDE_DIR}")
endif()
mark_as_advanced(Zip_INCLUDE_DIR Zip_LIBRARY)
