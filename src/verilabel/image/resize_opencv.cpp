#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "verilabel/image/resize.h"

namespace verilabel {
namespace {

int flag_of(OpencvInterpolation interpolation) {
  switch (interpolation) {
    case OpencvInterpolation::nearest:
      return cv::INTER_NEAREST;
    case OpencvInterpolation::linear:
      return cv::INTER_LINEAR;
    case OpencvInterpolation::cubic:
      return cv::INTER_CUBIC;
    case OpencvInterpolation::area:
      return cv::INTER_AREA;
  }
  return cv::INTER_LINEAR;
}

}  // namespace

void resize_opencv(const Image& source, int width, int height, OpencvInterpolation interpolation, Image& result) {
  // The work is spread over images, never inside one.
  static const bool kIsSingleThreaded = [] {
    cv::setNumThreads(0);
    return true;
  }();
  static_cast<void>(kIsSingleThreaded);
  result.resize(width, height);
  const cv::Mat from(source.height(), source.width(), CV_8UC3, const_cast<std::uint8_t*>(source.pixels().data()));
  cv::Mat to(height, width, CV_8UC3, result.pixels().data());
  cv::resize(from, to, to.size(), 0, 0, flag_of(interpolation));
}

}  // namespace verilabel
