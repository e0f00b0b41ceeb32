#pragma once

#include <gtest/gtest.h>

#include "verilabel/formats/testing_dataset.h"

namespace verilabel {

/// The same in all that a project says of an image, its own fields of the file apart.
inline void expect_same_image(const ExportImage& before, const ExportImage& after) {
  EXPECT_EQ(after.name, before.name);
  EXPECT_EQ(after.state, before.state) << before.name;
  EXPECT_EQ(after.split, before.split) << before.name;
  EXPECT_EQ(after.tags, before.tags) << before.name;
  EXPECT_EQ(after.fields_json, before.fields_json) << before.name;
}

/// The same class, kind, confidence, crowd, attributes and tags; boxes and masks are compared by the precision of the format.
inline void expect_same_label(const MemorySource& source, const ExportLabel& before, const MemorySource& again,
                              const ExportLabel& after) {
  EXPECT_EQ(again.class_list.at(static_cast<std::size_t>(after.class_index)).name,
            source.class_list.at(static_cast<std::size_t>(before.class_index)).name);
  EXPECT_EQ(after.label.kind, before.label.kind);
  EXPECT_EQ(after.label.confidence, before.label.confidence);
  EXPECT_EQ(after.label.is_crowd, before.label.is_crowd);
  EXPECT_EQ(after.label.attributes_json, before.label.attributes_json);
  EXPECT_EQ(after.tags, before.tags);
}

/// In pixels.
inline void expect_near(const Box& before, const Box& after, double tolerance) {
  EXPECT_NEAR(after.x, before.x, tolerance);
  EXPECT_NEAR(after.y, before.y, tolerance);
  EXPECT_NEAR(after.w, before.w, tolerance);
  EXPECT_NEAR(after.h, before.h, tolerance);
}

}  // namespace verilabel
