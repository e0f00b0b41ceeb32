#pragma once

// Projects in throw-away folders, for the tests of this module.

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "verilabel/base/error.h"
#include "verilabel/store/import_writer.h"
#include "verilabel/store/project.h"

namespace verilabel {

/// A folder of its own for each test, removed afterwards.
class StoreTest : public ::testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "verilabel_store_XXXXXX").native();
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw io_error("cannot make a folder", pattern, errno);
    }
    folder_ = pattern;
  }
  ~StoreTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path folder_;
};

/// The code of the error that `act` throws; `internal` without a message when it throws none.
template <typename Act>
ErrorCode code_of(const Act& act) {
  try {
    act();
  } catch (const Error& error) {
    EXPECT_FALSE(error.message().empty());
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::internal;
}

inline Sample sample_at(std::string path) {
  Sample sample;
  sample.name = std::filesystem::path(path).filename().native();
  sample.path = std::move(path);
  sample.width = 640;
  sample.height = 480;
  sample.format = "jpeg";
  sample.file_bytes = 1000;
  sample.modified_ns = 1;
  return sample;
}

inline std::vector<SampleId> add_samples(Project& project, int count) {
  ImportWriter writer(project);
  std::vector<SampleId> ids;
  for (int i = 0; i < count; ++i) {
    ids.push_back(writer.add_sample(sample_at("/images/" + std::to_string(i) + ".jpg")).id);
  }
  writer.finish();
  return ids;
}

inline Label box_label(ClassId class_id, Box box_xywh_px, std::optional<double> confidence = std::nullopt) {
  Label label;
  label.class_id = class_id;
  label.box_xywh_px = box_xywh_px;
  label.confidence = confidence;
  return label;
}

inline Label mask_label(ClassId class_id, Box box_xywh_px) {
  Label label = box_label(class_id, box_xywh_px);
  label.kind = LabelKind::mask;
  const Box& b = box_xywh_px;
  label.mask = Mask{std::vector<Polygon>{{b.x, b.y, b.x + b.w, b.y, b.x + b.w, b.y + b.h}}, true};
  return label;
}

}  // namespace verilabel
