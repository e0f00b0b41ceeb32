// Columns that follow the table of changes must equal columns read from every row, whatever happened in between; and both must say
// of each label what the rules of dataset/lifecycle.h say.

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include <gtest/gtest.h>

#include "verilabel/dataset/lifecycle.h"
#include "verilabel/dataset/properties.h"
#include "verilabel/store/columns_reader.h"
#include "verilabel/store/database.h"
#include "verilabel/store/decision_ledger.h"
#include "verilabel/store/run_ledger.h"
#include "verilabel/store/testing_project.h"

namespace verilabel {
namespace {

template <typename T>
std::vector<T> values_of(const Column<T>& column) {
  return {column.begin(), column.end()};
}

std::vector<std::string> values_of(const TextColumn& column) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < column.size(); ++i) {
    texts.emplace_back(column[i]);
  }
  return texts;
}

std::vector<double> bits_of(const Column<double>& column) {
  std::vector<double> values = values_of(column);
  std::ranges::replace_if(values, [](double value) { return std::isnan(value); }, -12345.0);
  return values;
}

std::vector<std::pair<std::int64_t, std::string>> pairs_of(const std::vector<NamedId>& names) {
  std::vector<std::pair<std::int64_t, std::string>> pairs;
  for (const NamedId& name : names) {
    pairs.emplace_back(name.id, name.name);
  }
  return pairs;
}

std::set<std::pair<std::int32_t, std::string>> tags_of(const TagColumns& tags, const std::vector<std::string>& names) {
  std::set<std::pair<std::int32_t, std::string>> pairs;
  for (std::size_t i = 0; i < tags.row.size(); ++i) {
    pairs.emplace(tags.row[i], names[static_cast<std::size_t>(tags.tag[i])]);
  }
  return pairs;
}

std::vector<std::string> splits_of(const Columns& columns) {
  std::vector<std::string> splits;
  for (const std::int32_t split : columns.samples.split) {
    splits.push_back(columns.splits[static_cast<std::size_t>(split)]);
  }
  return splits;
}

std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::ranges::sort(texts);
  return texts;
}

using PropertyTriple = std::tuple<std::string, std::int32_t, PropertyValue>;

std::vector<PropertyTriple> properties_of(const PropertyColumns& properties) {
  std::vector<PropertyTriple> triples;
  for (std::size_t i = 0; i < properties.size(); ++i) {
    const auto text = properties.text[i];
    triples.emplace_back(properties.names[static_cast<std::size_t>(properties.name[i])], properties.row[i],
                         text < 0 ? PropertyValue(properties.number[i])
                                  : PropertyValue(std::string(properties.texts[static_cast<std::size_t>(text)])));
  }
  return triples;
}

void expect_equal(const Columns& a, const Columns& b) {
  EXPECT_EQ(splits_of(a), splits_of(b));
  EXPECT_EQ(sorted(a.splits), sorted(b.splits));
  EXPECT_EQ(bits_of(a.samples.modified), bits_of(b.samples.modified));
  EXPECT_EQ(bits_of(a.labels.decided), bits_of(b.labels.decided));
  EXPECT_EQ(properties_of(a.sample_fields), properties_of(b.sample_fields));
  EXPECT_EQ(a.sample_fields.names, b.sample_fields.names);
  EXPECT_EQ(properties_of(a.label_attributes), properties_of(b.label_attributes));
  EXPECT_EQ(a.label_attributes.names, b.label_attributes.names);
  EXPECT_EQ(a.change, b.change);
  EXPECT_EQ(pairs_of(a.sets), pairs_of(b.sets));
  EXPECT_EQ(pairs_of(a.classes), pairs_of(b.classes));
  EXPECT_EQ(values_of(a.samples.id), values_of(b.samples.id));
  EXPECT_EQ(values_of(a.samples.path), values_of(b.samples.path));
  EXPECT_EQ(values_of(a.samples.name), values_of(b.samples.name));
  EXPECT_EQ(values_of(a.samples.width), values_of(b.samples.width));
  EXPECT_EQ(values_of(a.samples.height), values_of(b.samples.height));
  EXPECT_EQ(values_of(a.samples.is_missing), values_of(b.samples.is_missing));
  EXPECT_EQ(values_of(a.labels.id), values_of(b.labels.id));
  EXPECT_EQ(values_of(a.labels.sample), values_of(b.labels.sample));
  EXPECT_EQ(values_of(a.labels.set), values_of(b.labels.set));
  EXPECT_EQ(values_of(a.labels.class_index), values_of(b.labels.class_index));
  EXPECT_EQ(values_of(a.labels.kind), values_of(b.labels.kind));
  EXPECT_EQ(values_of(a.labels.verdict), values_of(b.labels.verdict));
  EXPECT_EQ(values_of(a.labels.status), values_of(b.labels.status));
  EXPECT_EQ(values_of(a.labels.is_crowd), values_of(b.labels.is_crowd));
  EXPECT_EQ(values_of(a.labels.x), values_of(b.labels.x));
  EXPECT_EQ(values_of(a.labels.y), values_of(b.labels.y));
  EXPECT_EQ(values_of(a.labels.w), values_of(b.labels.w));
  EXPECT_EQ(values_of(a.labels.h), values_of(b.labels.h));
  EXPECT_EQ(values_of(a.labels.area), values_of(b.labels.area));
  EXPECT_EQ(bits_of(a.labels.confidence), bits_of(b.labels.confidence));
  EXPECT_EQ(values_of(a.labels.run), values_of(b.labels.run));
  EXPECT_EQ(values_of(a.labels.import), values_of(b.labels.import));
  EXPECT_EQ(values_of(a.labelled_sample), values_of(b.labelled_sample));
  EXPECT_EQ(values_of(a.labelled_set), values_of(b.labelled_set));
  EXPECT_EQ(tags_of(a.sample_tags, a.sample_tag_names), tags_of(b.sample_tags, b.sample_tag_names));
  EXPECT_EQ(tags_of(a.label_tags, a.label_tag_names), tags_of(b.label_tags, b.label_tag_names));
}

/// What happened, kept apart from the store, to say what must be.
struct Model {
  struct Run {
    SetId set;
    std::vector<ClassId> asked;
    std::set<SampleId> finished;
    bool is_undone = false;
    std::optional<ReplacementBound> bound;
    std::int64_t repeats = 0;
  };
  struct Import {
    SetId set;
    std::set<SampleId> marked;
    bool is_fusion = false;
    bool is_finished = false;
    bool is_undone = false;
  };
  std::map<RunId, Run> runs;
  std::map<ImportId, Import> imports;

  /// Whether labels of the import never counted, or no longer.
  bool is_import_undone(ImportId import) const {
    const Import& one = imports.at(import);
    return one.is_undone || (one.is_fusion && !one.is_finished);
  }
  bool is_import_replaced(ImportId import, SampleId sample) const {
    return imports.at(import).is_fusion && std::any_of(imports.upper_bound(import), imports.end(), [&](const auto& later) {
             const Import& one = later.second;
             return one.is_fusion && one.is_finished && !one.is_undone && one.set == imports.at(import).set &&
                    one.marked.contains(sample);
           });
  }

  std::vector<std::map<LabelId, Verdict>> standing;  ///< groups that can be undone
  std::vector<std::map<LabelId, Verdict>> undone;    ///< that can be redone, the next one last

  Verdict verdict_of(LabelId label) const {
    for (auto group = standing.rbegin(); group != standing.rend(); ++group) {
      const auto found = group->find(label);
      if (found != group->end()) {
        return found->second;
      }
    }
    return Verdict::unreviewed;
  }
};

class Story : public StoreTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  using Random = std::mt19937;

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  bool chance(int percent) { return pick(100) < percent; }
  SampleId any_sample() { return samples_[static_cast<std::size_t>(pick(static_cast<int>(samples_.size())))]; }
  ClassId any_class() { return classes_[static_cast<std::size_t>(pick(static_cast<int>(classes_.size())))]; }
  SetId any_set() { return sets_[static_cast<std::size_t>(pick(static_cast<int>(sets_.size())))]; }
  Box any_box() { return {10.0 * pick(4), 10.0 * pick(4), 20.0 + pick(3), 20.0 + pick(3)}; }

  std::vector<StoredLabel> all_labels() {
    std::vector<StoredLabel> labels;
    for (const SampleId sample : samples_) {
      for (const SetId set : sets_) {
        for (StoredLabel& label : project_->labels_of(sample, set)) {
          labels.push_back(std::move(label));
        }
      }
    }
    return labels;
  }

  void add_more_samples() {
    ImportWriter writer(*project_);
    const int count = 1 + pick(3);
    for (int i = 0; i < count; ++i) {
      Sample sample = sample_at("/images/" + std::to_string(samples_.size()) + ".jpg");
      sample.is_missing = chance(30);
      samples_.push_back(writer.add_sample(sample).id);
    }
    if (chance(50)) {  // a missing file turns up
      const SampleId known = any_sample();
      Sample sample = project_->sample(known);
      sample.is_missing = false;
      sample.width += 1;
      writer.add_sample(sample);
    }
    writer.finish();
  }

  void import_labels() {
    ImportWriter writer(*project_);
    const SetId set = any_set();
    const bool is_fusion = chance(50);
    const ImportId id = writer.begin(set, is_fusion ? kFusionFormat : "coco", "/file" + std::to_string(pick(4)));
    EXPECT_TRUE(!is_fusion || !model_.imports.contains(id)) << "no fusion is gone on with";
    Model::Import& import = model_.imports[id];
    import.set = set;
    import.is_fusion = is_fusion;
    std::int64_t superseded = 0;
    for (int i = pick(4); i > 0; --i) {
      const SampleId sample = any_sample();
      writer.mark_labelled(sample);
      import.marked.insert(sample);
      if (chance(40)) {
        const std::vector<std::string> tags(static_cast<std::size_t>(pick(2)), chance(50) ? "night" : "imported");
        const std::string fields = any_fields();
        writer.describe_sample(sample, {any_split(), {}, tags, fields});
        note_fields(sample, fields);
      }
      for (int k = pick(3); k > 0; --k) {
        Label label = chance(30) ? mask_label(any_class(), any_box()) : box_label(any_class(), any_box());
        if (chance(40)) {
          label.attributes_json = std::array{R"({"occluded":true,"n":1})", R"({"occluded":false,"deep":{"x":"y"},"list":[1]})",
                                             "{}", R"({"huge":1e999})"}[static_cast<std::size_t>(pick(4))];
        }
        const std::vector<std::string> tags(static_cast<std::size_t>(pick(2)), chance(50) ? "ask" : "hard");
        const bool repeats = is_fusion && repeats_what_was_decided(label, sample, set);
        superseded += repeats ? 1 : 0;
        EXPECT_TRUE(writer.add_label(sample, label, tags) || !is_fusion);
        EXPECT_EQ(writer.superseded(), superseded);
      }
    }
    if (chance(70)) {
      writer.finish();
      import.is_finished = true;
    } else {
      writer.stop();
    }
  }

  bool repeats_what_was_decided(const Label& label, SampleId sample, SetId set) {
    return std::ranges::any_of(project_->labels_of(sample, set), [&](const StoredLabel& other) {
      const auto is_like = [&](const LabelClaim& claim) {
        return claim.class_id == label.class_id && iou(claim.box_xywh_px, label.box_xywh_px) >= kSupersedingIou;
      };
      return other.verdict != Verdict::unreviewed &&
             (is_like(written_.at(other.id)) || is_like({other.label.kind, other.label.class_id, other.label.box_xywh_px}));
    });
  }

  void run_model() {
    RunRequest request;
    request.set = chance(50) ? "auto" : "other";
    std::vector<SampleId> samples;
    for (const SampleId sample : samples_) {
      if (chance(70)) {
        samples.push_back(sample);
      }
    }
    if (chance(60)) {
      request.bound = ReplacementBound{0.1 * pick(11), chance(50) ? 0.3 : kSameObjectIou};
    }
    const RunId id = add_run(*project_, request, samples);
    Model::Run& run = model_.runs[id];
    run.bound = request.bound;
    run.set = *project_->find_set(request.set);
    RunWriter writer = RunWriter::open(*project_, id);
    for (const ClassId class_id : classes_) {
      if (chance(60)) {
        run.asked.push_back(class_id);
      }
    }
    writer.set_model("{}", "e", "CPU", run.asked);
    work_on(writer, id, run);
  }

  void resume_a_run() {
    for (auto& [id, run] : model_.runs) {
      if (!run.is_undone && chance(50)) {
        RunWriter writer = RunWriter::open(*project_, id);
        work_on(writer, id, run);
        return;
      }
    }
  }

  void work_on(RunWriter& writer, RunId id, Model::Run& run) {
    std::vector<SampleOutcome> outcomes;
    for (const Sample& sample : writer.samples_left(chance(50))) {
      if (chance(40)) {
        continue;
      }
      if (chance(15)) {
        outcomes.push_back({sample.id, SampleFailure{ErrorCode::bad_data, "broken"}});
        continue;
      }
      std::vector<Label> labels;
      for (int k = pick(4); k > 0 && !run.asked.empty(); --k) {
        labels.push_back(
            box_label(run.asked[static_cast<std::size_t>(pick(static_cast<int>(run.asked.size())))], any_box(), 0.01 * pick(100)));
      }
      run.finished.insert(sample.id);
      outcomes.push_back({sample.id, std::move(labels)});
    }
    writer.write(outcomes);
    writer.finish();
    note_new_labels();
    for (const SampleOutcome& outcome : outcomes) {
      const std::vector<StoredLabel> labels = project_->labels_of(outcome.sample, run.set);
      const std::vector<LabelStatus> statuses = statuses_of(labels, outcome.sample, run.set);
      for (std::size_t i = 0; i < labels.size(); ++i) {
        const bool repeats = labels[i].run == id && !labels[i].superseded_by && statuses[i] == LabelStatus::superseded;
        run.repeats += repeats ? 1 : 0;
        EXPECT_TRUE(run.bound || !repeats);
      }
    }
    const RunRow row = run_row(*project_, id);
    EXPECT_EQ(row.repeats, run.repeats);
    EXPECT_EQ(row.request.bound, run.bound);
  }

  /// What the rules make of labels, from what the model knows of where they came from.
  std::vector<LabelStatus> statuses_of(const std::vector<StoredLabel>& labels, SampleId sample, SetId set) const {
    std::vector<LabelOrigin> origins;
    for (const StoredLabel& label : labels) {
      origins.push_back({.id = label.id,
                         .run = label.run,
                         .import = label.import,
                         .is_fusion = label.import && model_.imports.at(label.import).is_fusion,
                         .is_import_undone = label.import && model_.is_import_undone(label.import),
                         .is_import_replaced = label.import && model_.is_import_replaced(label.import, sample),
                         .written = written_.at(label.id),
                         .edited = LabelClaim{label.label.kind, label.label.class_id, label.label.box_xywh_px},
                         .score = label.label.confidence.value_or(1),
                         .verdict = model_.verdict_of(label.id),
                         .superseded_by = label.superseded_by});
    }
    std::vector<FinishedRun> runs;
    for (const auto& [id, run] : model_.runs) {
      if (run.set == set && run.finished.contains(sample)) {
        runs.push_back({id, std::span<const ClassId>(run.asked), run.is_undone, run.bound});
      }
    }
    return label_statuses(origins, runs);
  }

  void decide() {
    const std::vector<StoredLabel> labels = all_labels();
    if (labels.empty()) {
      return;
    }
    std::map<LabelId, Verdict> group;
    if (chance(30)) {
      const StoredLabel& chosen = labels[static_cast<std::size_t>(pick(static_cast<int>(labels.size())))];
      LabelEdit edit;
      if (chance(60)) {
        edit.class_id = any_class();
      }
      if (chance(60)) {
        edit.box_xywh_px = any_box();
      }
      if (edit_label(*project_, chosen.id, edit, {"me", "", ""}).labels > 0) {
        group[chosen.id] = Verdict::edited;
      }
    } else {
      const Verdict verdict = std::array{Verdict::accepted, Verdict::rejected, Verdict::unsure}[static_cast<std::size_t>(pick(3))];
      std::vector<LabelId> chosen;
      for (const StoredLabel& label : labels) {
        if (chance(20)) {
          chosen.push_back(label.id);
          if (label.verdict != verdict) {
            group[label.id] = verdict;
          }
        }
      }
      const DecisionCounts counts = decide_labels(*project_, chosen, verdict, {"me", "", ""});
      EXPECT_EQ(counts.labels, static_cast<std::int64_t>(group.size()));
      EXPECT_EQ(counts.labels + counts.unchanged, static_cast<std::int64_t>(chosen.size()));
    }
    if (!group.empty()) {
      model_.standing.push_back(std::move(group));
      model_.undone.clear();
    }
  }

  void undo_or_redo() {
    const bool is_undo = chance(60);
    auto& from = is_undo ? model_.standing : model_.undone;
    auto& to = is_undo ? model_.undone : model_.standing;
    const auto act = [&] { return is_undo ? undo_decisions(*project_, "me") : redo_decisions(*project_, "me"); };
    if (from.empty()) {
      EXPECT_EQ(code_of(act), ErrorCode::conflict);
      return;
    }
    EXPECT_EQ(act(), static_cast<std::int64_t>(from.back().size()));
    to.push_back(std::move(from.back()));
    from.pop_back();
  }

  void undo_a_run_or_import() {
    if (chance(50) && !model_.runs.empty()) {
      const auto run = std::next(model_.runs.begin(), pick(static_cast<int>(model_.runs.size())));
      if (!run->second.is_undone) {
        undo_run(*project_, run->first);
        run->second.is_undone = true;
      }
    } else if (!model_.imports.empty()) {
      const auto import = std::next(model_.imports.begin(), pick(static_cast<int>(model_.imports.size())));
      if (!import->second.is_undone) {
        project_->undo_import(import->first);
        import->second.is_undone = true;
      }
    }
  }

  void tag() {
    const SampleId sample = any_sample();
    const std::string name = chance(50) ? "night" : "blurry";
    chance(60) ? project_->tag_samples(std::array{sample}, name) : project_->untag_samples(std::array{sample}, name);
  }

  void tag_a_label() {
    const std::vector<StoredLabel> labels = all_labels();
    if (labels.empty()) {
      return;
    }
    const LabelId label = labels[static_cast<std::size_t>(pick(static_cast<int>(labels.size())))].id;
    const std::string name = chance(50) ? "ask" : "hard";
    chance(60) ? project_->tag_labels(std::array{label}, name) : project_->untag_labels(std::array{label}, name);
  }

  std::string_view any_split() { return std::array{"", "train", "val", "test"}[static_cast<std::size_t>(pick(4))]; }

  std::string any_fields() {
    return std::array{R"({"scene":"night"})", R"({"scene":"day","gps":{"lat":1.5}})", R"({"scene":null,"iso":100})",
                      R"({"iso":"auto"})", ""}[static_cast<std::size_t>(pick(5))];
  }

  void set_fields() {
    const SampleId sample = any_sample();
    const std::string fields = any_fields();
    project_->set_fields(sample, fields);
    note_fields(sample, fields);
  }

  /// Fields as a person would keep them, by hand: of each of the texts above.
  void note_fields(SampleId sample, const std::string& fields) {
    auto& known = fields_[sample];
    if (fields.find("night") != std::string::npos) {
      known["scene"] = PropertyValue("night");
    } else if (fields.find("day") != std::string::npos) {
      known["scene"] = PropertyValue("day");
      known["gps.lat"] = PropertyValue(1.5);
    } else if (fields.find("null") != std::string::npos) {
      known.erase("scene");
      known["iso"] = PropertyValue(100.0);
    } else if (!fields.empty()) {
      known["iso"] = PropertyValue("auto");
    }
  }

  void check_against_model(const Columns& columns) {
    std::vector<PropertyTriple> fields;
    for (const auto& [sample, known] : fields_) {
      for (const auto& [name, value] : known) {
        fields.emplace_back(name, static_cast<std::int32_t>(sample.value - 1), value);
      }
    }
    std::ranges::sort(fields);
    EXPECT_EQ(properties_of(columns.sample_fields), fields);
    std::set<std::pair<std::int32_t, std::int32_t>> labelled;
    for (const auto& [id, import] : model_.imports) {
      for (const SampleId sample : import.marked) {
        if (import.is_finished && !import.is_undone) {
          labelled.emplace(import.set.value - 1, sample.value - 1);
        }
      }
    }
    for (const auto& [id, run] : model_.runs) {
      for (const SampleId sample : run.finished) {
        if (!run.is_undone) {
          labelled.emplace(run.set.value - 1, sample.value - 1);
        }
      }
    }
    for (const SampleId sample : samples_) {
      for (const SetId set : sets_) {
        const std::vector<StoredLabel> labels = project_->labels_of(sample, set);
        const std::vector<LabelStatus> statuses = statuses_of(labels, sample, set);
        for (std::size_t i = 0; i < labels.size(); ++i) {
          const auto row = static_cast<std::size_t>(labels[i].id.value - 1);
          EXPECT_EQ(columns.labels.status[row], statuses[i]) << "label " << labels[i].id.value;
          EXPECT_EQ(columns.labels.verdict[row], model_.verdict_of(labels[i].id));
          EXPECT_EQ(labels[i].verdict, model_.verdict_of(labels[i].id));
          EXPECT_EQ(std::isnan(columns.labels.decided[row]), labels[i].verdict == Verdict::unreviewed);
          EXPECT_EQ(columns.labels.box_xywh_px(row), labels[i].label.box_xywh_px);
          EXPECT_EQ(columns.labels.kind[row], labels[i].label.kind);
          EXPECT_EQ(columns.labels.class_index[row], labels[i].label.class_id.value - 1);
          if (statuses[i] == LabelStatus::active) {
            labelled.emplace(set.value - 1, sample.value - 1);
          }
        }
      }
    }
    std::set<std::pair<std::int32_t, std::int32_t>> found;
    for (std::size_t i = 0; i < columns.labelled_set.size(); ++i) {
      found.emplace(columns.labelled_set[i], columns.labelled_sample[i]);
    }
    EXPECT_EQ(found, labelled);
  }

  /// What new labels claim, before anybody can edit them.
  void note_new_labels() {
    for (const StoredLabel& label : all_labels()) {
      written_.try_emplace(label.id, LabelClaim{label.label.kind, label.label.class_id, label.label.box_xywh_px});
    }
  }

  Random random_{GetParam()};
  std::optional<Project> project_;
  std::vector<SampleId> samples_;
  std::vector<SetId> sets_;
  std::vector<ClassId> classes_;
  std::map<LabelId, LabelClaim> written_;
  Model model_;
  std::map<SampleId, std::map<std::string, PropertyValue>> fields_;
};

TEST_P(Story, FollowingChangesEqualsReadingEverything) {
  project_ = Project::create(folder_ / "p");
  samples_ = add_samples(*project_, 5);
  for (const char* name : {"auto", "other"}) {
    sets_.push_back(project_->ensure_set(name));
  }
  for (const char* name : {"car", "person", "dog"}) {
    classes_.push_back(project_->ensure_class(name));
  }
  Columns followed = project_->columns();
  for (int step = 0; step < 60; ++step) {
    switch (pick(12)) {
      case 0:
        add_more_samples();
        break;
      case 1:
      case 11:
        import_labels();
        break;
      case 2:
        run_model();
        break;
      case 3:
        resume_a_run();
        break;
      case 4:
      case 5:
        decide();
        break;
      case 6:
        undo_or_redo();
        break;
      case 7:
        undo_a_run_or_import();
        break;
      case 8:
        tag_a_label();
        break;
      case 9:
        set_fields();
        break;
      default:
        tag();
    }
    note_new_labels();
    if (chance(60)) {
      project_->refresh(followed);
      const Columns rebuilt = store::rebuild_columns(project_->database());
      expect_equal(followed, rebuilt);
      check_against_model(followed);
    }
    if (chance(10)) {  // what another process would see: the snapshot, brought up to date
      const Columns opened = Project::open(folder_ / "p", Project::Access::read_only).columns();
      expect_equal(opened, store::rebuild_columns(project_->database()));
    }
    if (chance(5)) {
      std::filesystem::remove(folder_ / "p" / "columns.snapshot");
    }
    if (HasFailure()) {
      FAIL() << "at step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Story, ::testing::Range(1u, 41u));

}  // namespace
}  // namespace verilabel
