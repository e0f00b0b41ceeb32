// The snapshot of columns, from any bytes: reads as none, or as columns whose every index points to something.

#include "fuzz/fuzzing.h"
#include "verilabel/dataset/view.h"
#include "verilabel/store/snapshot.h"

namespace verilabel {
namespace {

/// Looks at everything that an index leads to.
std::size_t ask(const Columns& columns) {
  std::size_t rows = 0;
  for (const char* const text :
       {"class:car", "set:ground_truth verdict:unreviewed", "tag:night", "label_tag:hard", "path:*1*", "-sort:confidence limit:5",
        "count(ground_truth,car)>0", "status:active,replaced,superseded,undone"}) {
    const View view = View::parse(text);
    rows += unless_refused([&] { return select_labels(view, columns).size(); }).value_or(0);
    rows += unless_refused([&] { return select_samples(view, columns).size(); }).value_or(0);
  }
  for (std::size_t set = 0; set < columns.sets.size(); ++set) {
    rows += columns.labelled_in(static_cast<std::int32_t>(set)).size();
  }
  const LabelColumns& labels = columns.labels;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto sample = static_cast<std::size_t>(labels.sample[i]);
    require(sample < columns.samples.size(), "a label is of a sample");
    require(static_cast<std::size_t>(labels.set[i]) < columns.sets.size(), "a label is in a set");
    require(static_cast<std::size_t>(labels.class_index[i]) < columns.classes.size(), "a label is of a class");
    require(i == 0 || labels.id[i - 1] < labels.id[i], "ids increase");
    rows += name_of(labels.kind[i]).size() + name_of(labels.verdict[i]).size() + name_of(labels.status[i]).size() +
            columns.samples.name[sample].size() + columns.samples.path[sample].size();
  }
  return rows;
}

}  // namespace
}  // namespace verilabel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace verilabel;
  static const ScratchFolder scratch;
  // Behind the sum is where things could go wrong.
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size % 8 != 0) {
    bytes.resize(size / 64 * 64);
    store::correct_sum(std::as_writable_bytes(std::span(bytes)));
  }
  const std::filesystem::path path = scratch.write("columns.snapshot", bytes);
  const auto snapshot = store::open_snapshot(path);
  if (!snapshot) {
    return 0;
  }
  const std::size_t rows = ask(snapshot->columns);
  const std::filesystem::path again = scratch.path() / "again.snapshot";
  store::write_snapshot(again, snapshot->stamp, snapshot->columns);
  const auto same = store::open_snapshot(again);
  require(same && same->stamp == snapshot->stamp && ask(same->columns) == rows, "a snapshot goes round");
  return 0;
}
