#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "verilabel/base/error.h"
#include "verilabel/base/file.h"
#include "verilabel/formats/format.h"
#include "verilabel/formats/testing_dataset.h"

// What holds for every format in the table, on random datasets with classes that no label uses, images of one name, and boxes and
// outlines that are as large as numbers go: an export that is made can be read, and what does not come back was counted.

namespace verilabel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxImageBytes = 100;
constexpr double kLargest = std::numeric_limits<double>::max();

std::string without_extension(const fs::path& name) {
  return (name.parent_path() / name.stem()).native();
}

/// A project that has the images of the source: it finds them by the bytes of their files, by their names, or by the last part of
/// those, as an import does.
class ProjectSink : public RecordingSink {
 public:
  explicit ProjectSink(const MemorySource& source) : source_(source) {}

  /// The image of the source that each announced one is; −1 for none.
  std::vector<std::int64_t> image_of;

  std::vector<ResolvedImage> on_images(std::vector<SourceImage> batch) override {
    std::vector<ResolvedImage> result = RecordingSink::on_images(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const std::vector<std::int64_t> found = find(batch[i]);
      result[i] = {found.empty() ? Resolution::missing : found.size() == 1 ? Resolution::found : Resolution::ambiguous, {}, {}};
      image_of.push_back(found.size() == 1 ? found[0] : -1);
      if (const ExportImage* const image = found.size() == 1 ? &source_.samples[static_cast<std::size_t>(found[0])].image : nullptr;
          image != nullptr && image->width > 0) {
        result[i].width = image->width;
        result[i].height = image->height;
      }
    }
    return result;
  }

 private:
  std::vector<std::int64_t> find(const SourceImage& wanted) const {
    std::error_code ignored;
    if (fs::is_regular_file(wanted.path, ignored)) {
      return {std::stoll(read_file(wanted.path, kMaxImageBytes))};
    }
    std::vector<bool> forms = {false};
    if (wanted.form != NameForm::whole) {
      forms.insert(wanted.form == NameForm::stem ? forms.begin() : forms.end(), true);
    }
    for (const bool is_with_folders : {true, false}) {
      for (const bool is_stem : forms) {
        std::vector<std::int64_t> found;
        for (std::size_t i = 0; i < source_.samples.size(); ++i) {
          const fs::path image = source_.samples[i].image.name;
          const fs::path name = is_with_folders ? image : image.filename();
          if ((is_stem ? without_extension(name) : name.native()) ==
              (is_with_folders ? fs::path(wanted.name) : fs::path(wanted.name).filename())) {
            found.push_back(static_cast<std::int64_t>(i));
          }
        }
        if (!found.empty()) {
          return found;
        }
      }
    }
    return {};
  }

  const MemorySource& source_;
};

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  bool one_in(unsigned count) { return random_() % count == 0; }
  std::size_t below(std::size_t count) { return random_() % count; }
  double fraction() { return static_cast<double>(random_()) / 4294967296.0; }
  /// Mostly a number of pixels, sometimes of any size.
  double coordinate() {
    if (!is_wild_ || one_in(2)) {
      return fraction() * 700 - 50;
    }
    const std::size_t exponent = one_in(2) ? 1015 + below(10) : below(1025);  // below 2^1024
    return (one_in(2) ? -1 : 1) * std::ldexp(fraction(), static_cast<int>(exponent));
  }
  template <typename T, std::size_t N>
  T of(const T (&list)[N]) {
    return list[below(N)];
  }
  void be_wild(bool is_wild) { is_wild_ = is_wild; }

 private:
  std::mt19937 random_;
  bool is_wild_ = false;
};

/// A box whose area or far corner is the largest number there is, but for a few last digits.
Box box_at_the_edge(Dice& dice) {
  for (;;) {
    const double near = kLargest * (1 - dice.fraction() * 4e-16);
    Box box{0, 0, near, dice.fraction()};
    if (dice.one_in(2)) {
      box.h = dice.fraction() * 700;
      box.w = near / box.h;
    }
    box.x = -box.w * dice.fraction();
    if (!fault_of(box)) {
      return box;
    }
  }
}

Label random_label(Dice& dice, const ExportImage& image) {
  constexpr const char* kAttributes[] = {"", "", R"({"occluded":true})", R"({"truncated":0.5})", R"({"colour":"red","n":3})"};
  for (;;) {
    Label label;
    label.kind = dice.of({LabelKind::box, LabelKind::box, LabelKind::mask, LabelKind::classification});
    if (label.kind == LabelKind::box) {
      label.box_xywh_px = {dice.coordinate(), dice.coordinate(), std::abs(dice.coordinate()), std::abs(dice.coordinate())};
      label.box_xywh_px.w *= dice.one_in(12) ? 0 : 1;
      label.box_xywh_px.h *= dice.one_in(12) ? 0 : 1;
    } else if (label.kind == LabelKind::mask) {
      std::vector<Polygon> polygons(1 + dice.below(2));
      for (Polygon& polygon : polygons) {
        for (std::size_t i = 0; i < 2 * (3 + polygons.size()); ++i) {
          polygon.push_back(dice.coordinate());
        }
      }
      label.mask = Mask{polygons};
      if (image.width > 0 && dice.one_in(3)) {
        label.mask =
            Mask{rle_from_polygons(polygons, static_cast<std::uint32_t>(image.height), static_cast<std::uint32_t>(image.width))};
      }
      label.box_xywh_px = dice.one_in(2) ? Box{1, 2, 3, 4} : mask_box(*label.mask);
    }
    label.is_crowd = label.kind != LabelKind::classification && dice.one_in(6);
    label.confidence = dice.one_in(2) ? std::optional(dice.one_in(9) ? 0 : dice.fraction()) : std::nullopt;
    label.area_px = label.kind != LabelKind::classification && dice.one_in(6) ? std::optional(dice.fraction()) : std::nullopt;
    label.attributes_json = dice.of(kAttributes);
    if (label.kind == LabelKind::classification && dice.one_in(6)) {
      label.attributes_json = R"({"present":false})";
    }
    if (!fault_of(label)) {
      return label;
    }
  }
}

MemorySource random_source(Dice& dice, const TemporaryFolder& images) {
  MemorySource source;
  dice.be_wild(dice.one_in(2));
  for (const char* const name : {"cat", "dog", "h\xC3\xA9ron", "_background_", "#1", "a:b", "0"}) {
    if (source.class_list.empty() || !dice.one_in(2)) {
      source.class_list.push_back({name, ""});
    }
  }
  constexpr const char* kNames[] = {"a/1.jpg", "b/1.jpg", "1.jpg",    "b/c/1.jpg",         "a/2.jpg", "3.tif.jpg",
                                    ".4.jpg",  "..5.jpg", ".b/6.jpg", "Annotations/7.jpg", "a/1.png"};
  const bool may_share_stem = dice.one_in(8);
  for (const char* const name : kNames) {
    if (dice.one_in(2) || (name == std::string_view("a/1.png") && !may_share_stem)) {
      continue;
    }
    MemorySource::Sample sample;
    ExportImage& image = sample.image;
    image.name = name;
    image.path = images.write(fs::path("images") / name, std::to_string(source.samples.size()));
    image.width = dice.one_in(8) ? 0 : static_cast<std::int32_t>(1 + dice.below(900));
    image.height = image.width == 0 ? 0 : static_cast<std::int32_t>(1 + dice.below(900));
    image.split = dice.of({"", "train", "val", "test"});
    image.tags = dice.one_in(3) ? std::vector<std::string>{"night", dice.of({"wet", "train"})} : std::vector<std::string>{};
    image.fields_json = dice.one_in(3) ? R"({"lux":1.5,"scene":"street"})" : "";
    image.state = dice.of({SampleState::labelled, SampleState::labelled, SampleState::labelled_empty, SampleState::not_labelled});
    for (std::size_t count = image.state == SampleState::labelled ? 1 + dice.below(3) : 0; count > 0; --count) {
      sample.labels.push_back({static_cast<std::int32_t>(dice.below(source.class_list.size())), random_label(dice, image),
                               dice.one_in(4) ? std::vector<std::string>{"hard"} : std::vector<std::string>{}});
    }
    source.samples.push_back(std::move(sample));
  }
  return source;
}

/// Counts of losses that name one of the words.
std::int64_t counted(const std::vector<Loss>& losses, const std::vector<std::string_view>& words) {
  std::int64_t sum = 0;
  for (const Loss& loss : losses) {
    const bool is_named =
        std::ranges::any_of(words, [&](std::string_view word) { return loss.what.find(word) != std::string::npos; });
    sum += is_named ? loss.count : 0;
  }
  return sum;
}

std::string lines_of(const std::vector<Loss>& losses) {
  std::string text;
  for (const Loss& loss : losses) {
    text += fmt::format("{} {}\n", loss.count, loss.what);
  }
  return text;
}

/// Equal up to what sums, fractions and percent cost, of the largest number that has a part in it.
bool are_near(double a, double b, double scale) {
  constexpr double kDigits = 1e-9;
  return a == b || std::abs(a / scale - b / scale) <= kDigits;
}

bool are_near(const Box& a, const Box& b) {
  const double across = std::max({std::abs(a.x), a.w, 1.0});
  const double down = std::max({std::abs(a.y), a.h, 1.0});
  return are_near(a.x, b.x, across) && are_near(a.w, b.w, across) && are_near(a.y, b.y, down) && are_near(a.h, b.h, down);
}

bool are_near(const Mask& a, const Mask& b) {
  const auto* const now = std::get_if<std::vector<Polygon>>(&a.shape);
  const auto* const then = std::get_if<std::vector<Polygon>>(&b.shape);
  if (now == nullptr || then == nullptr) {
    return a == b;
  }
  return std::ranges::equal(*now, *then, [](const Polygon& one, const Polygon& other) {
    return std::ranges::equal(one, other,
                              [](double left, double right) { return are_near(left, right, std::max(std::abs(left), 1.0)); });
  });
}

using Labels = std::vector<ExportLabel>;

/// How many labels there is no other for that is alike, each being one other's only.
std::int64_t missing_from(const Labels& others, const Labels& labels,
                          const std::function<bool(const ExportLabel&, const ExportLabel&)>& are_alike) {
  std::vector<bool> is_taken(others.size());
  std::int64_t missing = 0;
  for (const ExportLabel& label : labels) {
    std::size_t at = 0;
    while (at < others.size() && (is_taken[at] || !are_alike(label, others[at]))) {
      ++at;
    }
    if (at < others.size()) {
      is_taken[at] = true;
    } else {
      ++missing;
    }
  }
  return missing;
}

/// What may differ in a label that came back, and the words of losses that excuse it.
struct Aspect {
  const char* name;
  std::function<bool(const ExportLabel&, const ExportLabel&)> are_alike;
  std::vector<std::string_view> excuses;
};

const std::vector<Aspect>& aspects() {
  static const std::vector<Aspect> kAspects = {
      {"class", [](const auto& a, const auto& b) { return a.class_index == b.class_index; }, {}},
      {"crowd", [](const auto& a, const auto& b) { return a.label.is_crowd == b.label.is_crowd; }, {}},
      {"kind",
       [](const auto& a, const auto& b) { return a.label.kind == b.label.kind; },
       {"masks become their boxes", "become its boxes", "become outlines of four corners", "become their boxes"}},
      {"box",
       [](const auto& a, const auto& b) { return are_near(a.label.box_xywh_px, b.label.box_xywh_px); },
       {"stated for them", "are cut at", "become pixels", "become the pixels", "run-length masks become", "holes", "joined"}},
      {"mask",
       [](const auto& a, const auto& b) {
         return a.label.mask.has_value() == b.label.mask.has_value() && (!a.label.mask || are_near(*a.label.mask, *b.label.mask));
       },
       {"become", "are cut at", "holes", "joined"}},
      {"confidence", [](const auto& a, const auto& b) { return a.label.confidence == b.label.confidence; }, {"confidence"}},
      {"area",
       [](const auto& a, const auto& b) { return !a.label.area_px || a.label.area_px == b.label.area_px; },
       {"lose the area"}},
      {"attributes",
       [](const auto& a, const auto& b) { return a.label.attributes_json == b.label.attributes_json; },
       {"attribute", "degree", "true or false"}},
      {"tags", [](const auto& a, const auto& b) { return a.tags == b.tags; }, {"labels lose their tags"}},
  };
  return kAspects;
}

/// The source as it came back: images in the source's order, those that did not without a name.
MemorySource returned(const MemorySource& source, const ProjectSink& sink) {
  MemorySource back;
  back.samples.resize(source.samples.size());
  for (std::size_t i = 0; i < sink.images.size(); ++i) {
    if (sink.image_of[i] < 0) {
      ADD_FAILURE() << "no image, or several, for " << sink.images[i].name;
      continue;
    }
    ExportImage& image = back.samples[static_cast<std::size_t>(sink.image_of[i])].image;
    const SourceImage& read = sink.images[i];
    EXPECT_TRUE(image.name.empty() || image.split == read.split) << read.name;  // boxes and image labels of Open Images
    image.name = read.name;
    image.split = read.split;
    image.tags = read.tags;
    image.fields_json = read.fields_json;
    image.state = read.is_labelled ? SampleState::labelled_empty : SampleState::not_labelled;
  }
  for (const ImportedLabel& label : sink.labels) {
    const auto at = sink.image_of.at(static_cast<std::size_t>(label.image));
    const std::string& name = sink.classes.at(static_cast<std::size_t>(label.class_index)).name;
    const auto known = std::ranges::find_if(source.class_list, [&](const ExportClass& item) { return item.name == name; });
    if (at < 0 || known == source.class_list.end()) {
      ADD_FAILURE() << "a label of no image, or of the class " << name;
      continue;
    }
    back.samples[static_cast<std::size_t>(at)].labels.push_back(
        {static_cast<std::int32_t>(known - source.class_list.begin()), label.label, label.tags});
  }
  return back;
}

/// Whether the image is to be written, and its file is not there to be copied.
bool is_lacking(const MemorySource::Sample& sample, const WriteOptions& options) {
  return sample.image.is_missing && options.images != ImageTransfer::reference &&
         (sample.image.state != SampleState::not_labelled || options.with_unlabelled);
}

bool is_of_labels_left_out(const Loss& loss) {
  return loss.what.find("left out") != std::string::npos && !loss.what.starts_with("images") &&
         !loss.what.starts_with("attributes");
}

void expect_what_is_missing_was_counted(const MemorySource& source, const ProjectSink& sink, const WriteReport& report,
                                        const WriteOptions& options) {
  for (const Rejection& rejection : sink.rejections) {
    ADD_FAILURE() << name_of(rejection.kind) << " " << rejection.field << ": " << rejection.message;
  }
  const MemorySource back = returned(source, sink);
  const std::vector<Loss>& losses = report.losses;

  std::int64_t classes_gone = 0;
  for (const ExportClass& item : source.class_list) {
    classes_gone += std::ranges::any_of(sink.classes, [&](const SourceClass& read) { return read.name == item.name; }) ? 0 : 1;
  }
  EXPECT_GE(classes_gone, counted(losses, {"classes without"}));
  EXPECT_LE(classes_gone, counted(losses, {"classes without", "named by their labels only"}));

  std::int64_t not_asked_for = 0;
  std::int64_t images_gone = 0;
  std::int64_t states_changed = 0;
  std::int64_t splits_changed = 0;
  std::int64_t tags_changed = 0;
  std::int64_t fields_changed = 0;
  std::int64_t labels_left_out = 0;
  std::int64_t labels_of_failures = 0;
  for (std::size_t i = 0; i < source.samples.size(); ++i) {
    const MemorySource::Sample& before = source.samples[i];
    const MemorySource::Sample& after = back.samples[i];
    if (is_lacking(before, options)) {
      EXPECT_TRUE(after.image.name.empty());
      ++images_gone;
      labels_of_failures += std::ssize(before.labels);
      continue;
    }
    labels_left_out += static_cast<std::int64_t>(before.labels.size()) - static_cast<std::int64_t>(after.labels.size());
    if (after.image.name.empty()) {
      const bool is_wanted = before.image.state != SampleState::not_labelled || options.with_unlabelled;
      (is_wanted ? images_gone : not_asked_for) += 1;
      continue;
    }
    const bool was_labelled = before.image.state != SampleState::not_labelled;
    states_changed += was_labelled == (after.image.state != SampleState::not_labelled) ? 0 : 1;
    splits_changed += before.image.split.empty() || before.image.split == after.image.split ? 0 : 1;
    tags_changed += before.image.tags == after.image.tags ? 0 : 1;
    fields_changed += before.image.fields_json == after.image.fields_json ? 0 : 1;
  }
  const std::int64_t failures = std::ssize(report.failures);
  EXPECT_EQ(report.images_left_out + failures, not_asked_for + images_gone);
  EXPECT_EQ(report.images + report.images_left_out + failures, static_cast<std::int64_t>(source.samples.size()));
  std::int64_t told_images = 0;
  std::int64_t told_labels = 0;
  for (const Loss& loss : losses) {
    told_images += loss.what.starts_with("images") && loss.what.find("left out") != std::string::npos ? loss.count : 0;
    told_labels += is_of_labels_left_out(loss) ? loss.count : 0;
  }
  EXPECT_EQ(images_gone, told_images);
  EXPECT_EQ(states_changed, counted(losses, {"images that are not labelled become"}));
  EXPECT_EQ(labels_left_out + labels_of_failures, report.labels_left_out);
  EXPECT_EQ(labels_left_out, told_labels);
  EXPECT_LE(splits_changed, counted(losses, {"lose their split", "another split"}));
  EXPECT_LE(tags_changed, counted(losses, {"images lose their tags", "a tag like a split"}));
  EXPECT_LE(fields_changed, counted(losses, {"images lose their fields", "fields of images"}));
  for (const Aspect& aspect : aspects()) {
    std::int64_t missing = 0;
    for (std::size_t i = 0; i < source.samples.size(); ++i) {
      const bool is_written = !is_lacking(source.samples[i], options);
      missing += is_written ? missing_from(back.samples[i].labels, source.samples[i].labels, aspect.are_alike) : 0;
    }
    EXPECT_LE(missing, labels_left_out + counted(losses, aspect.excuses)) << aspect.name;
  }
}

/// Formats that are nothing but one file, or one folder, an image.
bool is_refused_when_empty(const Format& format) {
  return format.name == "labelme" || format.name == "image_folders";
}

bool has_place_for_images(const Format& format) {
  constexpr std::string_view kNames[] = {"yolo", "voc", "kitti", "labelme", "fiftyone", "image_folders"};
  return std::ranges::find(kNames, format.name) != std::end(kNames);
}

std::string name_of_export(const Format& format) {
  return format.name == "csv" ? "out.csv" : format.name == "cvat" ? "out.xml" : format.path == "a .json file" ? "out.json" : "out";
}

class EveryFormat : public testing::TestWithParam<const Format*> {};
class EveryFormatOfBoxes : public EveryFormat {};

TEST_P(EveryFormat, CountsWhatDoesNotComeBack) {
  const Format& format = *GetParam();
  int refused = 0;
  constexpr int kRounds = 60;
  for (unsigned round = 0; round < kRounds; ++round) {
    Dice dice(1000 + round);
    const TemporaryFolder folder;
    MemorySource source = random_source(dice, folder);
    WriteOptions options;
    const bool is_made_of_images = format.name == "image_folders";
    if (is_made_of_images || (has_place_for_images(format) && dice.one_in(3))) {
      options.images = ImageTransfer::copy;
      for (MemorySource::Sample& sample : source.samples) {
        if (!is_made_of_images && dice.one_in(5)) {
          fs::remove(sample.image.path);
          sample.image.is_missing = true;
        }
      }
    }
    options.with_unlabelled = dice.one_in(2);
    options.with_confidence = format.confidence_is_asked_for && dice.one_in(2);
    const fs::path place = folder.path() / name_of_export(format);
    std::vector<Loss> losses;
    std::string refusal;
    try {
      losses = format.losses(source, options);
    } catch (const Error& error) {
      refusal = error.message();
    }
    SCOPED_TRACE(fmt::format("{} round {}\n{}", format.name, round, lines_of(losses)));
    std::optional<WriteReport> report;
    try {
      report = format.write(place, source, options);
      EXPECT_EQ(refusal, "");
      EXPECT_EQ(lines_of(report->losses), lines_of(losses));
      EXPECT_EQ(std::ssize(report->failures),
                std::ranges::count_if(source.samples, [&](const auto& sample) { return is_lacking(sample, options); }));
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), refusal);
      ++refused;
    }
    if (report && (report->images > 0 || !is_refused_when_empty(format))) {
      ProjectSink sink(source);
      const ReadCounts counts = format.read(place, {}, sink);
      const std::int64_t namesakes = counted(losses, {"cannot tell which is meant"});
      EXPECT_EQ(std::ranges::count(sink.image_of, -1), namesakes);
      if (namesakes == 0) {
        EXPECT_EQ(counts.labels, report->labels);
        expect_what_is_missing_was_counted(source, sink, *report, options);
      }
    }
    if (HasFailure()) {
      break;  // the first says what the others would
    }
  }
  EXPECT_LT(refused, kRounds / 4);
}

TEST_P(EveryFormatOfBoxes, LeavesOutWhatLastDigitsWouldCarryBeyondAllNumbers) {
  const Format& format = *GetParam();
  Dice dice(7);
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  MemorySource::Sample& sample = source.samples.emplace_back();
  sample.image.name = "1.jpg";
  sample.image.path = folder.write("images/1.jpg", "0");
  sample.image.width = 641;
  sample.image.height = 479;
  for (int i = 0; i < 2000; ++i) {
    Label label;
    label.box_xywh_px = box_at_the_edge(dice);
    sample.labels.push_back({0, label, {}});
  }
  const fs::path place = folder.path() / name_of_export(format);
  const std::vector<Loss> losses = format.losses(source, {});
  const WriteReport report = format.write(place, source, {});
  EXPECT_EQ(lines_of(report.losses), lines_of(losses));
  ProjectSink sink(source);
  format.read(place, {}, sink);
  expect_what_is_missing_was_counted(source, sink, report, {});
}

TEST_P(EveryFormat, RefusesAFileAndAFolderOfOneNameBeforeAnythingIsWritten) {
  const Format& format = *GetParam();
  int refused = 0;
  for (const char* const extension : {"txt", "xml", "json", "jpg"}) {
    for (const ImageTransfer transfer : {ImageTransfer::reference, ImageTransfer::symbolic_link}) {
      if ((transfer == ImageTransfer::reference && format.name == "image_folders") ||
          (transfer != ImageTransfer::reference && !has_place_for_images(format))) {
        continue;
      }
      const TemporaryFolder folder;
      MemorySource source;
      source.class_list = {{"cat", ""}};
      Label label;
      label.kind = format.name == "image_folders" ? LabelKind::classification : LabelKind::box;
      label.box_xywh_px = label.kind == LabelKind::box ? Box{1, 1, 2, 2} : Box{};
      for (const std::string& name : {std::string("a.jpg"), fmt::format("a.{}/b.jpg", extension)}) {
        MemorySource::Sample& sample = source.samples.emplace_back();
        sample.image.name = name;
        sample.image.path = folder.write(fmt::format("{}.jpg", source.samples.size()), "");
        sample.image.width = sample.image.height = 10;
        sample.labels = {{0, label, {}}};
      }
      std::string refusal;
      WriteOptions options;
      options.images = transfer;
      try {
        format.losses(source, options);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::wrong_use);
        refusal = error.message();
        ++refused;
      }
      try {
        format.write(folder.path() / name_of_export(format), source, options);
        EXPECT_EQ(refusal, "");
      } catch (const Error& error) {
        EXPECT_EQ(error.message(), refusal);
      }
    }
  }
  constexpr std::string_view kOfLabelFiles[] = {"yolo", "voc", "kitti", "labelme"};
  EXPECT_EQ(refused > 0, std::ranges::find(kOfLabelFiles, format.name) != std::end(kOfLabelFiles) || format.name == "fiftyone");
}

// Polygons are kept as they came, so that an image of any size can have some.
TEST_P(EveryFormatOfBoxes, WritesImagesOfMorePixelsThanMasksHave) {
  const Format& format = *GetParam();
  const TemporaryFolder folder;
  MemorySource source;
  source.class_list = {{"cat", ""}};
  Label one_part;
  one_part.kind = LabelKind::mask;
  one_part.mask = Mask{std::vector<Polygon>{{10, 10, 20, 10, 20, 30}}};
  one_part.box_xywh_px = mask_box(*one_part.mask);
  Label two_parts = one_part;
  two_parts.mask = Mask{std::vector<Polygon>{{10, 10, 20, 10, 20, 30}, {50, 50, 60, 50, 60, 70}}};
  two_parts.box_xywh_px = mask_box(*two_parts.mask);
  Label stated = one_part;
  stated.area_px = 77;
  for (const auto& [name, side] : {std::pair("slide.jpg", 100'000), std::pair("small.jpg", 100)}) {
    MemorySource::Sample& sample = source.samples.emplace_back();
    sample.image.name = name;
    sample.image.path = folder.write(fs::path("images") / name, "");
    sample.image.width = side;
    sample.image.height = side;
    sample.labels = {{0, one_part, {}}, {0, two_parts, {}}, {0, stated, {}}};
  }
  const fs::path place = folder.path() / name_of_export(format);
  const std::vector<Loss> losses = format.losses(source, {});
  const WriteReport report = format.write(place, source, {});
  EXPECT_EQ(lines_of(report.losses), lines_of(losses));
  EXPECT_EQ(report.images, 2);
  EXPECT_EQ(report.labels + report.labels_left_out, 6);
  EXPECT_EQ(report.labels_left_out, counted(losses, {"are left out"}));
}

std::vector<const Format*> formats_of(bool (*is_wanted)(const Format&)) {
  std::vector<const Format*> rows;
  for (const Format& row : formats()) {
    if (is_wanted(row)) {
      rows.push_back(&row);
    }
  }
  return rows;
}

const auto kNameOfRow = [](const auto& row) { return std::string(row.param->name); };
INSTANTIATE_TEST_SUITE_P(Formats, EveryFormat, testing::ValuesIn(formats_of([](const Format&) { return true; })), kNameOfRow);
INSTANTIATE_TEST_SUITE_P(Formats, EveryFormatOfBoxes,
                         testing::ValuesIn(formats_of([](const Format& row) { return row.holds.boxes; })), kNameOfRow);

}  // namespace
}  // namespace verilabel
