#include "verilabel/geometry/tile_merge.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>

namespace verilabel {
namespace {

constexpr double kSameObject = 0.5;  // IoU
constexpr double kCovered = 0.7;     // part of a piece's area
constexpr double kEdgePixels = 2;
constexpr double kEdgePart = 0.01;  // of a window's side

struct Edges {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

Edges edges_of(const Box& box) {
  return {box.x, box.y, box.x + box.w, box.y + box.h};
}

Edges edges_of(const Tile& tile) {
  return {static_cast<double>(tile.x), static_cast<double>(tile.y), static_cast<double>(tile.x) + tile.w,
          static_cast<double>(tile.y) + tile.h};
}

struct Cuts {
  bool left = false;
  bool top = false;
  bool right = false;
  bool bottom = false;

  bool any() const { return left || top || right || bottom; }
};

Cuts cuts_of(const Box& box, const Tile& tile, int image_width, int image_height) {
  const Edges inner = edges_of(box);
  const Edges outer = edges_of(tile);
  const double near_x = std::max(kEdgePixels, kEdgePart * tile.w);
  const double near_y = std::max(kEdgePixels, kEdgePart * tile.h);
  return {.left = tile.x > 0 && inner.left - outer.left <= near_x,
          .top = tile.y > 0 && inner.top - outer.top <= near_y,
          .right = tile.x + tile.w < image_width && outer.right - inner.right <= near_x,
          .bottom = tile.y + tile.h < image_height && outer.bottom - inner.bottom <= near_y};
}

bool do_meet(const Tile& a, const Tile& b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

Box box_between(const Edges& edges) {
  return {edges.left, edges.top, std::max(0., edges.right - edges.left), std::max(0., edges.bottom - edges.top)};
}

// The box up to the edges of the other's window at which that one is cut.
Box as_far_as(const Box& box, const Tile& window, const Cuts& cuts) {
  Edges edges = edges_of(box);
  const Edges limits = edges_of(window);
  edges.left = cuts.left ? std::max(edges.left, limits.left) : edges.left;
  edges.top = cuts.top ? std::max(edges.top, limits.top) : edges.top;
  edges.right = cuts.right ? std::min(edges.right, limits.right) : edges.right;
  edges.bottom = cuts.bottom ? std::min(edges.bottom, limits.bottom) : edges.bottom;
  return box_between(edges);
}

bool goes_on_beyond(const Box& box, const Tile& window, const Cuts& cuts) {
  const Edges edges = edges_of(box);
  const Edges limits = edges_of(window);
  return (cuts.left && edges.left < limits.left) || (cuts.top && edges.top < limits.top) ||
         (cuts.right && edges.right > limits.right) || (cuts.bottom && edges.bottom > limits.bottom);
}

Box union_of(const Box& a, const Box& b) {
  const Edges in_a = edges_of(a);
  const Edges in_b = edges_of(b);
  return box_between({std::min(in_a.left, in_b.left), std::min(in_a.top, in_b.top), std::max(in_a.right, in_b.right),
                      std::max(in_a.bottom, in_b.bottom)});
}

class TileMerge {
 public:
  TileMerge(std::span<const TileBox> boxes, std::span<const Tile> tiles, int image_width, int image_height)
      : boxes_(boxes), tiles_(tiles), neighbours_(tiles.size()) {
    std::vector<std::size_t> used;
    for (const TileBox& box : boxes) {
      cuts_.push_back(cuts_of(box.box_xywh_px, tiles[box.tile], image_width, image_height));
      used.push_back(box.tile);
    }
    std::ranges::sort(used);
    used.erase(std::ranges::unique(used).begin(), used.end());
    for (const std::size_t a : used) {
      for (const std::size_t b : used) {
        if (a != b && do_meet(tiles[a], tiles[b])) {
          neighbours_[a].push_back(b);
        }
      }
    }
    best_first_.resize(boxes.size());
    std::iota(best_first_.begin(), best_first_.end(), 0);
    std::ranges::stable_sort(best_first_, std::ranges::greater{}, [&](std::size_t box) { return boxes[box].score; });
  }

  std::vector<TileObject> objects() {
    keep_best_whole();
    give_pieces_to_whole();
    unite_pieces();
    return without_doubles();
  }

 private:
  using OfTile = std::vector<std::vector<std::size_t>>;

  // Calls with each entry that is of the box's class and of another window that meets the box's.
  template <typename Call>
  void for_each_near(std::size_t box, const OfTile& of_tile, const Call& call) const {
    for (const std::size_t tile : neighbours_[boxes_[box].tile]) {
      for (const std::size_t other : of_tile[tile]) {
        if (boxes_[other].class_id == boxes_[box].class_id) {
          call(other);
        }
      }
    }
  }

  double shared_iou(std::size_t a, std::size_t b) const {
    return iou(as_far_as(boxes_[a].box_xywh_px, tiles_[boxes_[b].tile], cuts_[b]),
               as_far_as(boxes_[b].box_xywh_px, tiles_[boxes_[a].tile], cuts_[a]));
  }

  bool is_covered(std::size_t piece, std::size_t whole) const {
    const Box& box = boxes_[piece].box_xywh_px;
    const Box& other = boxes_[whole].box_xywh_px;
    return boxes_[whole].score >= boxes_[piece].score && goes_on_beyond(other, tiles_[boxes_[piece].tile], cuts_[piece]) &&
           intersection_over_detection(box, other) >= kCovered;
  }

  void keep_best_whole() {
    for (const std::size_t box : best_first_) {
      if (cuts_[box].any()) {
        continue;
      }
      bool is_double = false;
      for_each_near(box, whole_of_tile_, [&](std::size_t other) {
        is_double = is_double || iou(boxes_[box].box_xywh_px, boxes_[other].box_xywh_px) > kSameObject;
      });
      if (!is_double) {
        whole_of_tile_[boxes_[box].tile].push_back(box);
        object_of_whole_.emplace(box, objects_.size());
        objects_.push_back({boxes_[box].box_xywh_px, boxes_[box].score, {box}});
      }
    }
  }

  void give_pieces_to_whole() {
    for (const std::size_t piece : best_first_) {
      if (!cuts_[piece].any()) {
        continue;
      }
      double best_iou = kSameObject;
      std::optional<std::size_t> best;
      bool is_gone = false;
      for_each_near(piece, whole_of_tile_, [&](std::size_t whole) {
        if (const double overlap = shared_iou(piece, whole); overlap > best_iou) {
          best_iou = overlap;
          best = whole;
        }
        is_gone = is_gone || is_covered(piece, whole);
      });
      if (best) {
        double& score = objects_[object_of_whole_.at(*best)].score;
        score = std::max(score, boxes_[piece].score);
      } else if (!is_gone) {
        piece_of_tile_[boxes_[piece].tile].push_back(piece);
        pieces_.push_back(piece);
      }
    }
  }

  void unite_pieces() {
    struct Pair {
      double iou = 0;
      std::size_t a = 0;
      std::size_t b = 0;
    };
    std::vector<Pair> pairs;
    for (const std::size_t piece : pieces_) {
      for_each_near(piece, piece_of_tile_, [&](std::size_t other) {
        if (const double overlap = piece < other ? shared_iou(piece, other) : 0; overlap > kSameObject) {
          pairs.push_back({overlap, piece, other});
        }
      });
    }
    std::ranges::sort(pairs, [](const Pair& x, const Pair& y) {
      return x.iou != y.iou ? x.iou > y.iou : std::pair(x.a, x.b) < std::pair(y.a, y.b);
    });
    std::unordered_map<std::size_t, std::size_t> group_of;
    std::vector<std::vector<std::size_t>> groups;  // those that were given away are empty
    for (const std::size_t piece : pieces_) {
      group_of.emplace(piece, groups.size());
      groups.push_back({piece});
    }
    for (const Pair& pair : pairs) {
      const std::size_t a = group_of.at(pair.a);
      const std::size_t b = group_of.at(pair.b);
      const auto is_seen_in_both = [&](std::size_t of_a) {
        return std::ranges::any_of(groups[b], [&](std::size_t of_b) { return boxes_[of_a].tile == boxes_[of_b].tile; });
      };
      if (a == b || std::ranges::any_of(groups[a], is_seen_in_both)) {
        continue;
      }
      for (const std::size_t piece : std::exchange(groups[b], {})) {
        group_of.at(piece) = a;
        groups[a].push_back(piece);
      }
    }
    for (std::vector<std::size_t>& group : groups) {
      if (group.empty()) {
        continue;
      }
      std::ranges::sort(group);
      TileObject object = {boxes_[group[0]].box_xywh_px, boxes_[group[0]].score, {}};
      for (const std::size_t piece : group) {
        object.box_xywh_px = union_of(object.box_xywh_px, boxes_[piece].box_xywh_px);
        object.score = std::max(object.score, boxes_[piece].score);
      }
      object.members = std::move(group);
      objects_.push_back(std::move(object));
    }
  }

  std::vector<TileObject> without_doubles() {
    std::ranges::sort(objects_, [](const TileObject& a, const TileObject& b) {
      return a.score != b.score ? a.score > b.score : a.members[0] < b.members[0];
    });
    std::vector<TileObject> kept;
    OfTile kept_of_tile(tiles_.size());  // places in `kept`, by the window of any member
    for (TileObject& object : objects_) {
      const auto is_double_of = [&](std::size_t place) {
        const TileObject& other = kept[place];
        const TileBox& mine = boxes_[object.members[0]];
        const TileBox& its = boxes_[other.members[0]];
        const bool has_one_judge = object.members.size() == 1 && other.members.size() == 1 && mine.tile == its.tile;
        return mine.class_id == its.class_id && !has_one_judge && iou(object.box_xywh_px, other.box_xywh_px) > kSameObject;
      };
      const bool is_double = std::ranges::any_of(object.members, [&](std::size_t member) {
        const std::size_t tile = boxes_[member].tile;
        return std::ranges::any_of(kept_of_tile[tile], is_double_of) ||
               std::ranges::any_of(neighbours_[tile],
                                   [&](std::size_t near) { return std::ranges::any_of(kept_of_tile[near], is_double_of); });
      });
      if (is_double) {
        continue;
      }
      for (const std::size_t member : object.members) {
        kept_of_tile[boxes_[member].tile].push_back(kept.size());
      }
      kept.push_back(std::move(object));
    }
    return kept;
  }

  std::span<const TileBox> boxes_;
  std::span<const Tile> tiles_;
  std::vector<Cuts> cuts_;                            // of each box
  std::vector<std::vector<std::size_t>> neighbours_;  // of each window: others with boxes that it meets
  std::vector<std::size_t> best_first_;               // boxes
  OfTile whole_of_tile_ = OfTile(tiles_.size());      // boxes
  OfTile piece_of_tile_ = OfTile(tiles_.size());
  std::unordered_map<std::size_t, std::size_t> object_of_whole_;
  std::vector<std::size_t> pieces_;
  std::vector<TileObject> objects_;
};

}  // namespace

std::vector<TileObject> merge_tiles(std::span<const TileBox> boxes, std::span<const Tile> tiles, int image_width,
                                    int image_height) {
  return TileMerge(boxes, tiles, image_width, image_height).objects();
}

}  // namespace verilabel
