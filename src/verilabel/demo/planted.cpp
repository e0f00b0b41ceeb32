#include "verilabel/demo/planted.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "verilabel/geometry/box.h"
#include "verilabel/image/resize.h"

namespace verilabel::demo {
namespace {

constexpr std::uint64_t kRoleStream = 100;
constexpr int kTries = 40;
constexpr int kLeastHalvedSidePx = 480;
constexpr double kLookAlikeShare = 0.7;
constexpr double kGrid = 8;  ///< the human's boxes end on eighths of a pixel

Role role_of(double drawn, const DemoFaults& faults) {
  const std::array shares = {std::pair(Role::exact_duplicate, faults.exact_duplicates),
                             std::pair(Role::near_duplicate, faults.near_duplicates), std::pair(Role::dark, faults.dark),
                             std::pair(Role::blurred, faults.blurred)};
  for (const auto& [role, share] : shares) {
    if (drawn < share) {
      return role;
    }
    drawn -= share;
  }
  return Role::plain;
}

/// A mask of which only the pixels that `pick` reads are left: pick(bitmap, x, y) for each pixel of the new size.
template <typename Pick>
Rle remade(RleView mask, int width, int height, Pick pick) {
  const std::vector<std::uint8_t> bitmap = bitmap_from_rle(mask);
  std::vector<std::uint8_t> result(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  std::size_t at = 0;
  for (int x = 0; x < width; ++x) {
    for (int y = 0; y < height; ++y) {
      result[at++] = pick(bitmap, x, y) ? 1 : 0;
    }
  }
  return rle_from_bitmap(result, static_cast<std::uint32_t>(height), static_cast<std::uint32_t>(width));
}

/// Counts again, and leaves out what is no longer to be seen.
void recount(std::vector<SeenObject>& objects) {
  for (SeenObject& object : objects) {
    object.seen_px = area(object.mask);
    object.own_px = area(object.own);
    object.box_xywh_px = tight_box(object.mask);
  }
  std::erase_if(objects, [](const SeenObject& object) {
    return object.seen_px < kLeastSeenPx || std::max(object.box_xywh_px.w, object.box_xywh_px.h) < kLeastSidePx;
  });
}

Box crop(Picture& picture, Random& random) {
  const int width = picture.image.width();
  const int height = picture.image.height();
  const auto margin = [&](int side) { return static_cast<int>(side * random.uniform(0.01, 0.04)); };
  const int left = margin(width);
  const int top = margin(height);
  const int new_width = width - left - margin(width);
  const int new_height = height - top - margin(height);
  Image cut(new_width, new_height);
  for (int y = 0; y < new_height; ++y) {
    std::copy_n(picture.image.row(top + y) + static_cast<std::ptrdiff_t>(left) * Image::kChannels, cut.stride_bytes(), cut.row(y));
  }
  picture.image = std::move(cut);
  const auto pick = [&](const std::vector<std::uint8_t>& bitmap, int x, int y) {
    return bitmap[static_cast<std::size_t>(x + left) * static_cast<std::size_t>(height) + static_cast<std::size_t>(y + top)] != 0;
  };
  for (SeenObject& object : picture.objects) {
    const std::uint64_t before = object.own_px;
    object.mask = remade(object.mask, new_width, new_height, pick);
    object.own = remade(object.own, new_width, new_height, pick);
    object.is_truncated = object.is_truncated || area(object.own) < before;
  }
  recount(picture.objects);
  return {static_cast<double>(left), static_cast<double>(top), static_cast<double>(new_width), static_cast<double>(new_height)};
}

/// Half the size. A pixel belongs to an object when two of the four before do, and to the one in front where two objects have two.
void halve(Picture& picture) {
  const int height = picture.image.height();
  const int new_width = picture.image.width() / 2;
  const int new_height = height / 2;
  Image half(new_width, new_height);
  for (int y = 0; y < new_height; ++y) {
    const std::uint8_t* const upper = picture.image.row(2 * y);
    const std::uint8_t* const lower = picture.image.row(2 * y + 1);
    std::uint8_t* const row = half.row(y);
    for (int i = 0; i < new_width * Image::kChannels; ++i) {
      const int at = i / Image::kChannels * 2 * Image::kChannels + i % Image::kChannels;
      row[i] =
          static_cast<std::uint8_t>((upper[at] + upper[at + Image::kChannels] + lower[at] + lower[at + Image::kChannels] + 2) / 4);
    }
  }
  picture.image = std::move(half);
  const auto covers_half = [&](const std::vector<std::uint8_t>& bitmap, int x, int y) {
    const std::size_t at = static_cast<std::size_t>(2 * x) * static_cast<std::size_t>(height) + static_cast<std::size_t>(2 * y);
    const std::size_t next = at + static_cast<std::size_t>(height);
    return bitmap[at] + bitmap[at + 1] + bitmap[next] + bitmap[next + 1] >= 2;
  };
  std::vector<std::uint8_t> taken(static_cast<std::size_t>(new_width) * static_cast<std::size_t>(new_height));
  for (std::size_t i = picture.objects.size(); i-- > 0;) {
    SeenObject& object = picture.objects[i];
    object.own = remade(object.own, new_width, new_height, covers_half);
    object.mask = remade(object.mask, new_width, new_height, [&](const std::vector<std::uint8_t>& bitmap, int x, int y) {
      std::uint8_t& mark = taken[static_cast<std::size_t>(x) * static_cast<std::size_t>(new_height) + static_cast<std::size_t>(y)];
      const bool is_free = mark == 0 && covers_half(bitmap, x, y);
      mark |= is_free ? 1 : 0;
      return is_free;
    });
  }
  recount(picture.objects);
}

/// The box on the human's grid, cut at the image.
Box drawn_box(double left, double top, double right, double bottom, int width_px, int height_px) {
  const auto on_grid = [](double value, int limit) {
    return std::clamp(std::round(value * kGrid) / kGrid, 0.0, static_cast<double>(limit));
  };
  const double x = on_grid(left, width_px);
  const double y = on_grid(top, height_px);
  return {x, y, on_grid(right, width_px) - x, on_grid(bottom, height_px) - y};
}

/// A box that overlaps with another one as much as is wanted: its sides moved by up to `reach` of its own size. Nothing when chance
/// does not find one.
std::optional<Box> box_near(const Box& box, double reach, double shift, double low, double high, int width_px, int height_px,
                            Random& random) {
  for (int i = 0; i < kTries; ++i) {
    const double dx = shift * box.w * random.uniform(-1, 1);
    const double dy = shift * box.h * random.uniform(-1, 1);
    const auto move = [&](double side) { return reach * side * random.uniform(-1, 1); };
    const double left = box.x + dx + move(box.w);
    const double top = box.y + dy + move(box.h);
    const double right = box.x + box.w + dx + move(box.w);
    const double bottom = box.y + box.h + dy + move(box.h);
    const Box moved = drawn_box(left, top, right, bottom, width_px, height_px);
    const double overlap = moved.w > 0 && moved.h > 0 ? iou(moved, box) : 0;
    if (overlap >= low && overlap <= high) {
      return moved;
    }
  }
  return std::nullopt;
}

std::size_t mistaken_for(std::size_t kind, Random& random) {
  const std::string_view look_alike = kinds()[kind].look_alike;
  const bool is_look_alike = random.chance(kLookAlikeShare);
  if (!look_alike.empty() && is_look_alike) {
    return *find_kind(look_alike);
  }
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < kinds().size(); ++i) {
    if (i != kind && (kinds()[i].places & kinds()[kind].places) != 0) {
      others.push_back(i);
    }
  }
  return others[random.below(others.size())];
}

}  // namespace

std::string_view name_of(Change change) {
  constexpr std::array<std::string_view, 4> kNames = {"recompressed", "cropped", "brightened", "halved"};
  return kNames[static_cast<std::size_t>(change)];
}

Plan plan_of(std::uint64_t seed, std::uint64_t index, const DemoFaults& faults) {
  Random random(seed, index, kRoleStream);
  Plan plan;
  plan.role = role_of(random.uniform(), faults);
  plan.change = static_cast<Change>(random.below(4));
  if (plan.role != Role::exact_duplicate && plan.role != Role::near_duplicate) {
    return plan;
  }
  for (int i = 0; i < kTries && index > 0; ++i) {
    const std::uint64_t source = random.below(index);
    if (role_of(Random(seed, source, kRoleStream).uniform(), faults) == Role::plain) {
      plan.source = source;
      return plan;
    }
  }
  return {};
}

ChangeDone change_picture(Picture& picture, Change change, Random& random) {
  ChangeDone done{change, {0, 0, static_cast<double>(picture.image.width()), static_cast<double>(picture.image.height())}, 1};
  const int quality = random.integer(32, 60);
  const double gain = random.chance(0.5) ? random.uniform(1.1, 1.22) : random.uniform(0.8, 0.9);
  if (change == Change::halved && std::max(picture.image.width(), picture.image.height()) < kLeastHalvedSidePx) {
    done.change = Change::recompressed;
  }
  switch (done.change) {
    case Change::recompressed:
      break;
    case Change::cropped:
      done.crop_xywh_px = crop(picture, random);
      break;
    case Change::brightened:
      done.gain = gain;
      expose(picture.image, gain);
      break;
    case Change::halved:
      halve(picture);
      break;
  }
  picture.conditions.jpeg_quality = done.change == Change::recompressed ? quality : std::max(80, picture.conditions.jpeg_quality);
  return done;
}

std::vector<HumanLabel> label_as_human(const std::vector<SeenObject>& objects, int width_px, int height_px,
                                       const DemoFaults& faults, Random& random) {
  std::vector<HumanLabel> labels;
  const std::array shares = {1 - faults.mislabelled - faults.missing - faults.shifted - faults.doubled, faults.mislabelled,
                             faults.missing, faults.shifted, faults.doubled};
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const Box& truth = objects[i].box_xywh_px;
    const auto fault = static_cast<LabelFault>(random.weighted(shares));
    HumanLabel label{i, objects[i].kind, truth, fault == LabelFault::doubled ? LabelFault::none : fault, 1};
    const std::size_t mistaken = mistaken_for(label.kind, random);
    const auto careful = box_near(truth, 0.03, 0, kCarefulIou, 1, width_px, height_px, random);
    label.box_xywh_px = careful.value_or(truth);
    if (fault == LabelFault::mislabelled) {
      label.kind = mistaken;
    } else if (fault == LabelFault::shifted) {
      const auto shifted = box_near(truth, 0.12, 0.5, kShiftedIou[0], kShiftedIou[1], width_px, height_px, random);
      label.box_xywh_px = shifted.value_or(label.box_xywh_px);
      label.fault = shifted ? fault : LabelFault::none;
    }
    label.iou = iou(label.box_xywh_px, truth);
    labels.push_back(label);
    if (fault == LabelFault::doubled) {
      const auto second = box_near(label.box_xywh_px, 0.08, 0.12, kDoubledIou[0], kDoubledIou[1], width_px, height_px, random);
      if (second) {
        labels.push_back({i, label.kind, *second, LabelFault::doubled, iou(*second, label.box_xywh_px)});
      }
    }
  }
  return labels;
}

}  // namespace verilabel::demo
