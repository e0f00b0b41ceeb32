#pragma once

namespace verilabel {

/// What a format has room for. What it has not is lost on export, and counted first.
struct FormatHolds {
  bool boxes = false;
  bool masks = false;
  bool run_length_masks = false;  ///< as opposed to outlines only
  bool classifications = false;
  bool crowds = false;
  bool confidence = false;
  bool attributes = false;
  bool areas = false;                   ///< the area that a source states for a label, when it is another than that of its shape
  bool ids_and_unknown_fields = false;  ///< `source_json` of images, classes and labels, as far as it came from this format
  bool unlabelled_images = false;       ///< can tell *not labelled* from *labelled, empty*
  bool splits = false;
  bool label_tags = false;
  bool sample_tags = false;
  bool sample_fields = false;
};

}  // namespace verilabel
