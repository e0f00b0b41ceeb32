// Random views over random columns against an evaluator that asks one row at a time and shares no code with the module.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "verilabel/dataset/properties.h"
#include "verilabel/dataset/testing_columns.h"
#include "verilabel/dataset/view.h"

namespace verilabel {
namespace {

using Random = std::mt19937;

int below(Random& random, int count) {
  return static_cast<int>(random() % static_cast<unsigned>(count));
}

constexpr double kDay = 86'400;

/// In the first days of 1970.
std::optional<double> random_moment(Random& random) {
  return below(random, 3) == 0 ? std::nullopt : std::optional(below(random, 6) * kDay / 2);
}

void add_properties(Random& random, int row, PropertyBuilder& properties) {
  for (const char* name : {"p", "a \"b\""}) {
    switch (below(random, 4)) {
      case 0:
        properties.add(row, name, PropertyValue(static_cast<double>(below(random, 4))));
        break;
      case 1:
        properties.add(row, name, PropertyValue(std::to_string(below(random, 4))));
        break;
      case 2:
        properties.add(row, name, PropertyValue(fmt::format("1970-01-0{}", 1 + below(random, 4))));
        break;
      default:
        break;
    }
  }
}

/// A name that no row has is none that can be asked for; here it is one without entries.
PropertyColumns with_both_names(PropertyColumns properties) {
  if (std::ranges::find(properties.names, "a \"b\"") == properties.names.end()) {
    for (std::size_t i = 0; i < properties.size(); ++i) {
      properties.name.set(i, 1);
    }
  }
  properties.names = {"a \"b\"", "p"};
  return properties;
}

/// The value of one row, looked for among all entries.
std::optional<PropertyValue> property_of(const PropertyColumns& properties, const std::string& name, std::size_t row) {
  for (std::size_t i = 0; i < properties.size(); ++i) {
    if (properties.names[static_cast<std::size_t>(properties.name[i])] == name &&
        static_cast<std::size_t>(properties.row[i]) == row) {
      return properties.text[i] < 0 ? PropertyValue(properties.number[i])
                                    : PropertyValue(std::string(properties.texts[static_cast<std::size_t>(properties.text[i])]));
    }
  }
  return std::nullopt;
}

Columns random_columns(Random& random) {
  Columns c;
  c.sets = {{1, "truth"}, {2, "auto"}};
  c.classes = {{1, "car"}, {2, "a b"}, {3, "c\"d"}};
  c.sample_tag_names = {"t0", "t1"};
  c.label_tag_names = {"l0", "l1"};
  c.splits = {"", "train", "val"};
  PropertyBuilder fields;
  PropertyBuilder attributes;
  const int sample_count = below(random, 30);
  for (int i = 0; i < sample_count; ++i) {
    const std::string name = std::string(1, static_cast<char>('a' + below(random, 3))) + "/" + std::to_string(below(random, 20));
    append(c.samples, {5 + 2 * i, fmt::format("/root/{}", name), name, 100 * below(random, 4), 100 * below(random, 4),
                       below(random, 4) == 0, below(random, 3), random_moment(random)});
    add_properties(random, i, fields);
    for (std::int32_t tag = 0; tag < 2; ++tag) {
      if (below(random, 3) == 0) {
        c.sample_tags.row.append(i);
        c.sample_tags.tag.append(tag);
      }
    }
  }
  // Sometimes more labels than are tested together.
  const int label_count = sample_count == 0 ? 0 : below(random, 10) == 0 ? 5000 : below(random, 60);
  std::set<std::pair<int, int>> labelled;
  for (int i = 0; i < label_count; ++i) {
    LabelRow row;
    row.id = 100 + 3 * i;
    row.sample = below(random, sample_count);
    row.set = below(random, 2);
    row.class_index = below(random, 3);
    if (below(random, 3) > 0) {
      row.confidence = below(random, 5) / 4.0;
    }
    row.box_xywh_px = {0, 0, static_cast<double>(below(random, 4)), static_cast<double>(below(random, 4))};
    row.verdict = static_cast<Verdict>(below(random, 5));
    row.status = static_cast<LabelStatus>(below(random, 2) == 0 ? 0 : below(random, 4));
    row.kind = static_cast<LabelKind>(below(random, 3));
    row.run = below(random, 4);
    row.decided = random_moment(random);
    add_properties(random, i, attributes);
    append(c.labels, row);
    labelled.emplace(row.set, row.sample);
    if (below(random, 5) == 0) {
      c.label_tags.row.append(i);
      c.label_tags.tag.append(below(random, 2));
    }
  }
  for (const auto& [set, sample] : labelled) {
    c.labelled_set.append(set);
    c.labelled_sample.append(sample);
  }
  c.sample_fields = with_both_names(fields.build());
  c.label_attributes = with_both_names(attributes.build());
  return c;
}

/// An expression as the test understands it: its text, and what it says of one row.
struct Question {
  std::string text;
  bool asks_labels = false;
  bool asks_samples = false;
  char join = 0;  ///< '&', '|', '-', or 0 for a single term
  std::vector<Question> parts;
  std::function<bool(const Columns&, std::size_t row)> holds;  ///< of a label's row or a sample's, for a single term
};

std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (const char c : name) {
    text += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  return text + "\"";
}

struct Operator {
  const char* text;
  bool (*holds)(double, double);
};

const std::vector<Operator> kOperators = {
    {"=", [](double a, double b) { return a == b; }}, {"!=", [](double a, double b) { return !std::isnan(a) && a != b; }},
    {"<", [](double a, double b) { return a < b; }},  {"<=", [](double a, double b) { return a <= b; }},
    {">", [](double a, double b) { return a > b; }},  {">=", [](double a, double b) { return a >= b; }},
};

/// `column` gives the moment of a row, NaN for none.
Question date_question(Random& random, const char* name, double (*column)(const Columns&, std::size_t)) {
  Question q;
  const int day = below(random, 4);
  const int op = below(random, 6);
  q.text = fmt::format("{}{}1970-01-0{}", name, kOperators[static_cast<std::size_t>(op)].text, day + 1);
  q.holds = [=](const Columns& c, std::size_t row) {
    // Whole days compare as whole days do.
    const double moment = column(c, row);
    return !std::isnan(moment) && kOperators[static_cast<std::size_t>(op)].holds(std::floor(moment / kDay), day);
  };
  return q;
}

/// Values that the columns hold: numbers from 0 to 3, the same as texts, and the first days of 1970.
Question property_question(Random& random, const char* term, const PropertyColumns Columns::* properties) {
  Question q;
  const std::string name = below(random, 2) == 0 ? "p" : "a \"b\"";
  const std::size_t op = static_cast<std::size_t>(below(random, 7));
  const int a = below(random, 4);
  const bool is_date = below(random, 2) == 0;
  const std::string date = fmt::format("1970-01-0{}", a + 1);
  const std::string word = is_date ? date : std::to_string(a);
  q.text = fmt::format("{}:{}", term, quoted(name)) + (op < 6 ? kOperators[op].text + word : "");
  q.holds = [=](const Columns& c, std::size_t row) {
    const auto value = property_of(c.*properties, name, row);
    if (!value || op == 6) {
      return value.has_value();
    }
    if (const double* number = std::get_if<double>(&*value)) {
      return is_date ? op == 1 : kOperators[op].holds(*number, a);
    }
    const std::string& text = std::get<std::string>(*value);
    if (is_date && text.size() == date.size()) {
      return kOperators[op].holds(text.back() - '1', a);
    }
    return op == 0 ? text == word : op == 1 && text != word;
  };
  return q;
}

Question random_label_term(Random& random) {
  Question q;
  q.asks_labels = true;
  const Operator& op = kOperators[static_cast<std::size_t>(below(random, 6))];
  const int a = below(random, 3);
  const int b = below(random, 3);
  const auto compare = [&](const char* name, double number, auto column) {
    q.text = std::string(name) + op.text + std::to_string(number);
    q.holds = [=](const Columns& c, std::size_t row) { return op.holds(column(c.labels, row), number); };
  };
  switch (below(random, 13)) {
    case 10:
      q = date_question(random, "decided", [](const Columns& c, std::size_t row) { return c.labels.decided[row]; });
      q.asks_labels = true;
      break;
    case 11:
    case 12:
      q = property_question(random, "attribute", &Columns::label_attributes);
      q.asks_labels = true;
      break;
    case 0:
      q.text = a == 0 ? "set:truth" : "set:auto";
      q.holds = [a](const Columns& c, std::size_t row) { return c.labels.set[row] == (a == 0 ? 0 : 1); };
      break;
    case 1: {
      const std::vector<std::string> names = {"car", "a b", "c\"d"};
      q.text = "class:" + quoted(names[static_cast<std::size_t>(a)]) + "," + quoted(names[static_cast<std::size_t>(b)]);
      q.holds = [a, b](const Columns& c, std::size_t row) {
        return c.labels.class_index[row] == a || c.labels.class_index[row] == b;
      };
      break;
    }
    case 2:
      compare("confidence", below(random, 5) / 4.0, [](const LabelColumns& l, std::size_t row) { return l.confidence[row]; });
      break;
    case 3:
      q.text = std::string("verdict:") + std::string(name_of(static_cast<Verdict>(a)));
      q.holds = [a](const Columns& c, std::size_t row) { return static_cast<int>(c.labels.verdict[row]) == a; };
      break;
    case 4:
      q.text = std::string("kind:") + std::string(name_of(static_cast<LabelKind>(a)));
      q.holds = [a](const Columns& c, std::size_t row) { return static_cast<int>(c.labels.kind[row]) == a; };
      break;
    case 5:
      compare("area", below(random, 9), [](const LabelColumns& l, std::size_t row) {
        return l.kind[row] == LabelKind::classification ? std::nan("") : l.w[row] * l.h[row];
      });
      break;
    case 6:
      compare("box_height", below(random, 4), [](const LabelColumns& l, std::size_t row) {
        return l.kind[row] == LabelKind::classification ? std::nan("") : l.h[row];
      });
      break;
    case 7:
      q.text = "run:" + std::to_string(a) + "," + std::to_string(b);
      q.holds = [a, b](const Columns& c, std::size_t row) { return c.labels.run[row] == a || c.labels.run[row] == b; };
      break;
    case 8:
      q.text = "id:112,106," + std::to_string(100 + a);
      q.holds = [a](const Columns& c, std::size_t row) {
        const std::int64_t id = c.labels.id[row];
        return id == 112 || id == 106 || id == 100 + a;
      };
      break;
    default:
      q.text = a == 0 ? "label_tag:l0" : "label_tag:l1,l0";
      q.holds = [a](const Columns& c, std::size_t row) {
        for (std::size_t i = 0; i < c.label_tags.row.size(); ++i) {
          if (c.label_tags.row[i] == static_cast<std::int32_t>(row) && (a != 0 || c.label_tags.tag[i] == 0)) {
            return true;
          }
        }
        return false;
      };
  }
  return q;
}

Question random_sample_term(Random& random) {
  Question q;
  q.asks_samples = true;
  const Operator& op = kOperators[static_cast<std::size_t>(below(random, 6))];
  const int a = below(random, 3);
  const double number = 100 * below(random, 4);
  switch (below(random, 12)) {
    case 7:
      q = date_question(random, "modified", [](const Columns& c, std::size_t row) { return c.samples.modified[row]; });
      q.asks_samples = true;
      break;
    case 8:
    case 9:
      q = property_question(random, "field", &Columns::sample_fields);
      q.asks_samples = true;
      break;
    case 10:
      q.text = a == 0 ? "split:\"\"" : a == 1 ? "split:train" : "split:val,train";
      q.holds = [a](const Columns& c, std::size_t row) {
        const std::int32_t split = c.samples.split[row];
        return a == 0 ? split == 0 : split == 1 || (a == 2 && split == 2);
      };
      break;
    case 11:
      q.text = "text:T/B,\"t/A/1\"";
      q.holds = [](const Columns& c, std::size_t row) {
        const std::string_view name = c.samples.name[row];
        return name[0] == 'b' || name.starts_with("a/1");
      };
      break;
    case 0:
      q.text = "tag:t1";
      q.holds = [](const Columns& c, std::size_t row) {
        for (std::size_t i = 0; i < c.sample_tags.row.size(); ++i) {
          if (c.sample_tags.row[i] == static_cast<std::int32_t>(row) && c.sample_tags.tag[i] == 1) {
            return true;
          }
        }
        return false;
      };
      break;
    case 1:
      q.text = "path:/root/b*,a/*";
      q.holds = [](const Columns& c, std::size_t row) { return c.samples.name[row][0] <= 'b'; };
      break;
    case 2:
      q.text = "name:?/?";
      q.holds = [](const Columns& c, std::size_t row) { return c.samples.name[row].size() == 3; };
      break;
    case 3:
      q.text = std::string("width") + op.text + std::to_string(number);
      q.holds = [=](const Columns& c, std::size_t row) {
        return c.samples.width[row] > 0 && op.holds(c.samples.width[row], number);
      };
      break;
    case 4:
      q.text = "missing:yes";
      q.holds = [](const Columns& c, std::size_t row) { return c.samples.is_missing[row] != 0; };
      break;
    case 5:
      q.text = "labelled:auto";
      q.holds = [](const Columns& c, std::size_t row) {
        for (std::size_t i = 0; i < c.labels.size(); ++i) {
          if (c.labels.sample[i] == static_cast<std::int32_t>(row) && c.labels.set[i] == 1) {
            return true;
          }
        }
        return false;
      };
      break;
    default:
      q.text = std::string("count(truth") + (a == 0 ? "" : ",car") + ")" + op.text + std::to_string(a);
      q.holds = [=](const Columns& c, std::size_t row) {
        int count = 0;
        for (std::size_t i = 0; i < c.labels.size(); ++i) {
          count += c.labels.sample[i] == static_cast<std::int32_t>(row) && c.labels.set[i] == 0 &&
                   c.labels.status[i] == LabelStatus::active && (a == 0 || c.labels.class_index[i] == 0);
        }
        return op.holds(count, a);
      };
  }
  return q;
}

/// `saved` grows by the views that the text names.
Question random_question(Random& random, int depth, SavedViews& saved) {
  if (depth == 0 || below(random, 3) == 0) {
    return below(random, 3) == 0 ? random_sample_term(random) : random_label_term(random);
  }
  Question q;
  q.join = "&&|-"[below(random, 4)];
  const int count = q.join == '-' ? 1 : 2 + below(random, 3);
  for (int i = 0; i < count; ++i) {
    Question part = random_question(random, depth - 1, saved);
    const bool needs_parentheses = part.join == '&' || part.join == '|' || (q.join == '-' && part.join == '-');
    std::string text = needs_parentheses ? fmt::format("({})", part.text) : part.text;
    if (below(random, 8) == 0) {
      saved.push_back({fmt::format("v{}", saved.size()), part.text, ""});
      text = "view:" + saved.back().name;
    }
    q.text += i == 0 ? "" : q.join == '|' ? " | " : " ";
    q.text += q.join == '-' ? "-" : "";
    q.text += text;
    q.asks_labels |= part.asks_labels;
    q.asks_samples |= part.asks_samples;
    q.parts.push_back(std::move(part));
  }
  return q;
}

bool holds_for_label(const Question& q, const Columns& c, std::size_t row) {
  const auto part_holds = [&](const Question& part) { return holds_for_label(part, c, row); };
  switch (q.join) {
    case '&':
      return std::all_of(q.parts.begin(), q.parts.end(), part_holds);
    case '|':
      return std::any_of(q.parts.begin(), q.parts.end(), part_holds);
    case '-':
      return !part_holds(q.parts.front());
    default:
      return q.holds(c, q.asks_labels ? row : static_cast<std::size_t>(c.labels.sample[row]));
  }
}

bool has_label(const std::vector<const Question*>& questions, const Columns& c, std::size_t sample) {
  for (std::size_t row = 0; row < c.labels.size(); ++row) {
    if (c.labels.sample[row] == static_cast<std::int32_t>(sample) && c.labels.status[row] == LabelStatus::active &&
        std::all_of(questions.begin(), questions.end(), [&](const Question* q) { return holds_for_label(*q, c, row); })) {
      return true;
    }
  }
  return false;
}

bool holds_for_sample(const Question& q, const Columns& c, std::size_t sample) {
  if (q.asks_labels && !q.asks_samples) {
    return has_label({&q}, c, sample);
  }
  switch (q.join) {
    case '&': {
      std::vector<const Question*> run;
      for (const Question& part : q.parts) {
        if (part.asks_labels && !part.asks_samples) {
          run.push_back(&part);
          continue;
        }
        if ((!run.empty() && !has_label(run, c, sample)) || !holds_for_sample(part, c, sample)) {
          return false;
        }
        run.clear();
      }
      return run.empty() || has_label(run, c, sample);
    }
    case '|':
      return std::any_of(q.parts.begin(), q.parts.end(), [&](const Question& part) { return holds_for_sample(part, c, sample); });
    case '-':
      return !holds_for_sample(q.parts.front(), c, sample);
    default:
      return q.holds(c, sample);
  }
}

TEST(ViewProperty, RandomViewsSelectWhatOneRowAtATimeSelects) {
  Random random(20260101);
  for (int round = 0; round < 60; ++round) {
    const Columns c = random_columns(random);
    for (int i = 0; i < (c.labels.size() > 1000 ? 4 : 40); ++i) {
      SavedViews saved;
      const Question q = random_question(random, 3, saved);
      SCOPED_TRACE(q.text);
      const View view = View::parse(q.text, saved);
      std::vector<std::uint32_t> labels;
      for (std::size_t row = 0; row < c.labels.size(); ++row) {
        if (c.labels.status[row] == LabelStatus::active && holds_for_label(q, c, row)) {
          labels.push_back(static_cast<std::uint32_t>(row));
        }
      }
      ASSERT_EQ(select_labels(view, c), labels);
      std::vector<std::uint32_t> samples;
      for (std::size_t row = 0; row < c.samples.size(); ++row) {
        if (holds_for_sample(q, c, row)) {
          samples.push_back(static_cast<std::uint32_t>(row));
        }
      }
      ASSERT_EQ(select_samples(view, c), samples);
      ASSERT_EQ(view.has_label_terms(), q.asks_labels);

      // Sorted and limited: the same rows in the order of a plain stable sort.
      const bool is_descending = below(random, 2) == 0;
      const std::size_t limit = static_cast<std::size_t>(below(random, 40));
      auto sorted = labels;
      std::stable_sort(sorted.begin(), sorted.end(), [&](std::uint32_t a, std::uint32_t b) {
        const double x = c.labels.confidence[a];
        const double y = c.labels.confidence[b];
        if (std::isnan(x) || std::isnan(y)) {
          return !std::isnan(x) && std::isnan(y);
        }
        return is_descending ? x > y : x < y;
      });
      sorted.resize(std::min(sorted.size(), limit));
      const std::string text =
          (q.join == 0 ? q.text : "(" + q.text + ")") + (is_descending ? " -sort:confidence" : " sort:confidence");
      const View sorted_view = View::parse(text + " limit:" + std::to_string(limit), saved);
      ASSERT_EQ(select_labels(sorted_view, c), sorted);
      std::vector<std::uint32_t> first_samples;
      for (const std::uint32_t row : sorted) {
        const auto sample = static_cast<std::uint32_t>(c.labels.sample[row]);
        if (std::find(first_samples.begin(), first_samples.end(), sample) == first_samples.end()) {
          first_samples.push_back(sample);
        }
      }
      ASSERT_EQ(select_samples(sorted_view, c), first_samples);
    }
  }
}

}  // namespace
}  // namespace verilabel
