# Debian's per-module OpenCV packages carry no CMake package; the full libopencv-dev would pull 500 MB.
# Defines opencv::core, opencv::imgproc and opencv::imgcodecs.
find_path(OpenCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4)
set(opencv_needed OpenCV_INCLUDE_DIR)
foreach(module core imgproc imgcodecs)
  find_library(OpenCV_${module}_LIBRARY opencv_${module})
  list(APPEND opencv_needed OpenCV_${module}_LIBRARY)
endforeach()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCVModules REQUIRED_VARS ${opencv_needed})

if(OpenCVModules_FOUND AND NOT TARGET opencv::core)
  foreach(module core imgproc imgcodecs)
    add_library(opencv::${module} UNKNOWN IMPORTED)
    set_target_properties(opencv::${module} PROPERTIES
      IMPORTED_LOCATION "${OpenCV_${module}_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${OpenCV_INCLUDE_DIR}")
  endforeach()
  set_property(TARGET opencv::imgproc APPEND PROPERTY INTERFACE_LINK_LIBRARIES opencv::core)
  set_property(TARGET opencv::imgcodecs APPEND PROPERTY INTERFACE_LINK_LIBRARIES opencv::imgproc)
endif()
mark_as_advanced(${opencv_needed})
