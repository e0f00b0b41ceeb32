#pragma once

#include <vector>

#include "verilabel/base/ids.h"
#include "verilabel/base/progress.h"
#include "verilabel/workflow/import.h"

// Fields of samples from files beside the images, and from the images themselves. Private to import.
namespace verilabel {

/// The rows of a file of metadata onto the samples that they name. A sample's row is stored whole or not at all, in chunks;
/// repeating the import completes one that was cut off. What an error ends keeps the rows before it.
void import_metadata(Project& project, const ImportOptions& options, const ProgressSink& progress, const CancelToken& cancel,
                     ImportReport& report);

/// The EXIF of these samples, which are all of the project when there is no list of them; missing ones are counted and passed over.
void import_exif(Project& project, const std::vector<SampleId>* samples, const ProgressSink& progress, const CancelToken& cancel,
                 ImportReport& report);

/// How bright these images are, by `mean_luma`, likewise.
void import_brightness(Project& project, const std::vector<SampleId>* samples, const ProgressSink& progress,
                       const CancelToken& cancel, ImportReport& report);

}  // namespace verilabel
