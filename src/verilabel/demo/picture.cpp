#include "verilabel/demo/picture.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "verilabel/image/brightness.h"

namespace verilabel::demo {
namespace {

constexpr std::uint32_t kHalf = 128;
/// The planted dark images are darker than any other may be.
constexpr double kDarkestLuma = 34;

enum class Stream : std::uint8_t { conditions, backdrop, objects, weather, camera };

Random stream_of(std::uint64_t seed, std::uint64_t index, Stream stream) {
  return Random(seed, index, static_cast<std::uint64_t>(stream));
}

struct Format {
  int wide, high;
  double weight;
};

std::pair<int, int> draw_size(int long_side_px, Random& random) {
  constexpr Format kFormats[] = {{4, 3, 4}, {3, 2, 2}, {16, 9, 1}, {1, 1, 1}, {3, 4, 1.5}, {2, 3, 1}};
  constexpr double kParts[] = {0.5, 0.75, 0.8, 1.0, 1.0};
  std::vector<double> weights;
  for (const Format& format : kFormats) {
    weights.push_back(format.weight);
  }
  const Format& format = kFormats[random.weighted(weights)];
  const int side = static_cast<int>(std::lround(long_side_px * kParts[random.below(std::size(kParts))]));
  const int other = side * std::min(format.wide, format.high) / std::max(format.wide, format.high);
  return format.wide >= format.high ? std::pair(side, other) : std::pair(other, side);
}

Image image_of(const Canvas& canvas) {
  Image image(canvas.width(), canvas.height());
  std::uint8_t* at = image.pixels().data();
  for (const std::uint32_t pixel : canvas.pixels()) {
    *at++ = static_cast<std::uint8_t>(pixel);
    *at++ = static_cast<std::uint8_t>(pixel >> 8);
    *at++ = static_cast<std::uint8_t>(pixel >> 16);
  }
  return image;
}

constexpr Rgb kFog{212, 214, 218};  // before the light of the hour falls on it

/// What fog leaves of a thing's own color: of 256 it takes this much.
int fog_at(double nearness) {
  return static_cast<int>(std::lround(256 * (0.82 - 0.52 * std::sqrt(nearness))));
}

/// A soft dark ellipse on the ground, or a dim smear on the water.
void paint_underneath(Image& image, const PlacedObject& object, const Sprite& sprite, Light light) {
  if (object.underneath == Underneath::nothing) {
    return;
  }
  // As wide as the lowest quarter of the object.
  int left = sprite.width;
  int right = 0;
  int bottom = 0;
  int top = sprite.height;
  for (int y = 0; y < sprite.height; ++y) {
    for (int x = 0; x < sprite.width; ++x) {
      if (sprite.pixels[static_cast<std::size_t>(y * sprite.width + x)] >> 24 >= kHalf) {
        bottom = y;
        top = std::min(top, y);
      }
    }
  }
  for (int y = bottom - (bottom - top) / 4; y <= bottom; ++y) {
    for (int x = 0; x < sprite.width; ++x) {
      if (sprite.pixels[static_cast<std::size_t>(y * sprite.width + x)] >> 24 >= kHalf) {
        left = std::min(left, x);
        right = std::max(right, x);
      }
    }
  }
  const bool is_water = object.underneath == Underneath::reflection;
  const int rx = std::max(3, (right - left) * 5 / 8);
  const int ry = std::max(2, is_water ? (bottom - top) / 7 : rx / 5);
  const int cx = sprite.left + (left + right) / 2 + (is_water || light != Light::day ? 0 : rx / 5);
  const int cy = sprite.top + bottom + (is_water ? ry / 2 : -ry / 4);
  const int darkest = is_water ? 96 : light == Light::day ? 118 : 84;
  for (int y = std::max(0, cy - ry); y <= std::min(image.height() - 1, cy + ry); ++y) {
    for (int x = std::max(0, cx - rx); x <= std::min(image.width() - 1, cx + rx); ++x) {
      const int distance = (x - cx) * (x - cx) * 1024 / (rx * rx) + (y - cy) * (y - cy) * 1024 / (ry * ry);
      if (distance < 1024) {
        const int opacity = darkest * (1024 - distance) >> 10;
        std::uint8_t* const pixel = image.row(y) + static_cast<std::ptrdiff_t>(x) * Image::kChannels;
        for (int channel = 0; channel < Image::kChannels; ++channel) {
          pixel[channel] = static_cast<std::uint8_t>(pixel[channel] * (256 - opacity) >> 8);
        }
      }
    }
  }
}

void paint_object(Image& image, const Sprite& sprite, Rgb veil, int veil_opacity) {
  const std::uint32_t veil_bgr[] = {veil.b, veil.g, veil.r};
  for (int y = std::max(0, -sprite.top); y < std::min(sprite.height, image.height() - sprite.top); ++y) {
    for (int x = std::max(0, -sprite.left); x < std::min(sprite.width, image.width() - sprite.left); ++x) {
      const std::uint32_t source = sprite.pixels[static_cast<std::size_t>(y * sprite.width + x)];
      const std::uint32_t alpha = source >> 24;
      if (alpha == 0) {
        continue;
      }
      std::uint8_t* const pixel = image.row(sprite.top + y) + static_cast<std::ptrdiff_t>(sprite.left + x) * Image::kChannels;
      for (unsigned channel = 0; channel < Image::kChannels; ++channel) {
        std::uint32_t value = source >> (8 * channel) & 255U;
        const std::uint32_t veiled = veil_bgr[channel] * alpha / 255;
        value = (value * static_cast<std::uint32_t>(256 - veil_opacity) + veiled * static_cast<std::uint32_t>(veil_opacity)) >> 8;
        const std::uint32_t below = pixel[channel] * (255 - alpha);
        pixel[channel] = static_cast<std::uint8_t>(std::min(255U, value + (below + 127) / 255));
      }
    }
  }
}

/// Fog, and snow on the ground, over what the objects stand on.
void veil_backdrop(Image& image, const Backdrop& backdrop, const Conditions& conditions) {
  for (int y = 0; y < image.height(); ++y) {
    const double below = (y - backdrop.horizon_px) / std::max(1.0, image.height() - backdrop.horizon_px);
    if (conditions.weather == Weather::fog) {
      veil_row(image, y, kFog, fog_at(std::max(0.0, below)));
    } else if (conditions.weather == Weather::snow) {
      veil_row(image, y, {244, 247, 252}, y > backdrop.ground_px ? 190 : 60);
    }
  }
}

/// What shines by itself.
void add_own_glow(std::vector<Glow>& glows, const PlacedObject& object) {
  const std::string_view name = kinds()[object.kind].name;
  const double mirrored = object.is_mirrored ? -1 : 1;
  const auto add = [&](double x, double y, double radius, Rgb color, double strength) {
    glows.push_back({object.base_px.x + mirrored * x * object.unit_px, object.base_px.y + y * object.unit_px,
                     radius * object.unit_px, color, strength});
  };
  if (name == "traffic light") {
    constexpr Rgb kLamps[] = {{255, 60, 40}, {255, 190, 60}, {70, 240, 120}};
    add(0, -0.9 + 0.185 * object.look.pose, 0.4, kLamps[object.look.pose], 1.3);
  } else if (name == "lamp" && object.look.pose == 1) {
    add(0, -0.6, 1.6, {255, 230, 180}, 1.2);
  } else if (name == "car" || name == "van" || name == "bus" || name == "truck" || name == "scooter") {
    add(0, -0.25, 0.75, {255, 240, 220}, 0.55);
    if (name != "car" || object.look.pose == 0) {
      add(0.55, -0.18, 0.42, {255, 244, 200}, 1.2);
    }
  } else {
    add(0, -0.45, 0.7, {250, 240, 230}, 0.32);  // so that it can be told in the dark
  }
}

void lift_to(Image& image, double least_luma) {
  const double luma = mean_luma(image);
  if (luma < least_luma) {
    expose(image, least_luma / std::max(1.0, luma) * 1.06);
  }
}

}  // namespace

bool Sprite::covers(int x, int y) const {
  const int column = x - left;
  const int row = y - top;
  return column >= 0 && column < width && row >= 0 && row < height &&
         pixels[static_cast<std::size_t>(row) * static_cast<std::size_t>(width) + static_cast<std::size_t>(column)] >> 24 >= kHalf;
}

std::string_view size_name(const Box& box_xywh_px, int width_px, int height_px) {
  const double part = std::max(box_xywh_px.w, box_xywh_px.h) / std::max(width_px, height_px);
  return part < kMediumFrom ? "small" : part < kLargeFrom ? "medium" : "large";
}

Sprite paint_sprite(const PlacedObject& object) {
  Sprite sprite;
  sprite.width = static_cast<int>(std::ceil(1.56 * object.unit_px)) + 4;
  sprite.height = sprite.width;
  const int x = sprite.width / 2;
  const int y = sprite.height / 2 + static_cast<int>(std::lround(0.48 * object.unit_px));
  sprite.left = static_cast<int>(std::lround(object.base_px.x)) - x;
  sprite.top = static_cast<int>(std::lround(object.base_px.y)) - y;
  Canvas canvas(sprite.width, sprite.height);
  canvas.set_frame({static_cast<double>(x), static_cast<double>(y)}, object.unit_px, object.is_mirrored, object.turn_rad,
                   {0, -0.45});
  kinds()[object.kind].draw(canvas, object.look);
  sprite.pixels.assign(canvas.pixels().begin(), canvas.pixels().end());
  return sprite;
}

std::vector<SeenObject> find_seen(std::vector<PlacedObject>& objects, std::vector<Sprite>& sprites, int width_px, int height_px) {
  std::vector<SeenObject> seen;
  std::vector<bool> is_drawn(objects.size());
  std::vector<std::uint8_t> taken(static_cast<std::size_t>(width_px) * static_cast<std::size_t>(height_px));
  const auto place_of = [&](int x, int y) {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width_px) + static_cast<std::size_t>(x);
  };
  std::vector<std::uint8_t> window;
  std::vector<std::uint8_t> own;
  for (std::size_t i = objects.size(); i-- > 0;) {
    const Sprite& sprite = sprites[i];
    const int left = std::max(0, sprite.left);
    const int top = std::max(0, sprite.top);
    const int right = std::min(width_px, sprite.left + sprite.width);
    const int bottom = std::min(height_px, sprite.top + sprite.height);
    if (right <= left || bottom <= top) {
      continue;
    }
    const auto whole =
        static_cast<std::uint64_t>(std::ranges::count_if(sprite.pixels, [](std::uint32_t pixel) { return pixel >> 24 >= kHalf; }));
    SeenObject object;
    window.assign(static_cast<std::size_t>(right - left) * static_cast<std::size_t>(bottom - top), 0);
    own.assign(window.size(), 0);
    std::size_t at = 0;
    for (int x = left; x < right; ++x) {
      for (int y = top; y < bottom; ++y, ++at) {
        if (sprite.covers(x, y)) {
          ++object.own_px;
          own[at] = 1;
          window[at] = taken[place_of(x, y)] == 0;
          object.seen_px += window[at];
        }
      }
    }
    const auto window_height = static_cast<std::uint32_t>(bottom - top);
    const auto window_width = static_cast<std::uint32_t>(right - left);
    const Rle mask = rle_from_bitmap(window, window_height, window_width);
    const Box box = tight_box(mask);
    const bool is_seen = static_cast<double>(object.own_px) >= kLeastInside * static_cast<double>(whole) &&
                         object.seen_px >= kLeastSeenPx && object.hidden() <= kMostHidden && std::max(box.w, box.h) >= kLeastSidePx;
    if (!is_seen) {
      continue;
    }
    is_drawn[i] = true;
    for (int y = top; y < bottom; ++y) {
      for (int x = left; x < right; ++x) {
        if (sprite.covers(x, y)) {
          taken[place_of(x, y)] = 1;
        }
      }
    }
    object.kind = objects[i].kind;
    object.color = objects[i].color;
    object.pattern = objects[i].look.paint.pattern;
    object.pose = objects[i].look.pose;
    const auto in_image = [&](RleView view) {
      return placed(view, static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(top), static_cast<std::uint32_t>(height_px),
                    static_cast<std::uint32_t>(width_px));
    };
    object.mask = in_image(mask);
    object.own = in_image(rle_from_bitmap(own, window_height, window_width));
    object.box_xywh_px = tight_box(object.mask);
    object.is_truncated = object.own_px < whole;
    seen.push_back(std::move(object));
  }
  std::ranges::reverse(seen);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    if (is_drawn[i]) {
      std::swap(objects[kept], objects[i]);
      std::swap(sprites[kept], sprites[i]);
      ++kept;
    }
  }
  objects.resize(kept);
  sprites.resize(kept);
  return seen;
}

Picture draw_picture(std::uint64_t seed, std::uint64_t index, const PictureOptions& options) {
  Picture picture;
  Random choice = stream_of(seed, index, Stream::conditions);
  const auto [width, height] = draw_size(options.long_side_px, choice);
  picture.conditions = options.selection.draw(choice, std::max(width, height));
  Conditions& conditions = picture.conditions;

  Random scenery = stream_of(seed, index, Stream::backdrop);
  Canvas canvas(width, height);
  Backdrop backdrop = draw_backdrop(canvas, conditions, scenery);
  picture.image = image_of(canvas);
  veil_backdrop(picture.image, backdrop, conditions);

  Random things = stream_of(seed, index, Stream::objects);
  std::vector<PlacedObject> objects = place_objects(backdrop, width, height, options.selection, things);
  std::vector<Sprite> sprites;
  for (const PlacedObject& object : objects) {
    sprites.push_back(paint_sprite(object));
  }
  picture.objects = find_seen(objects, sprites, width, height);
  for (std::size_t i = 0; i < objects.size(); ++i) {
    paint_underneath(picture.image, objects[i], sprites[i], conditions.light);
    const int veil = conditions.weather == Weather::fog    ? fog_at(objects[i].nearness)
                     : conditions.weather == Weather::snow ? 24
                                                           : 0;
    paint_object(picture.image, sprites[i], kFog, veil);
    add_own_glow(backdrop.glows, objects[i]);
  }

  light_up(picture.image, conditions.light, is_outdoors(conditions.scene), backdrop.glows);
  Random weather = stream_of(seed, index, Stream::weather);
  if (conditions.weather == Weather::rain) {
    add_rain(picture.image, weather);
  } else if (conditions.weather == Weather::snow) {
    add_snowflakes(picture.image, weather);
  }
  Random camera = stream_of(seed, index, Stream::camera);
  const double dark_luma = camera.uniform(9, 19);
  const double blur_part = camera.uniform(0.006, 0.009);
  expose(picture.image, conditions.exposure_gain);
  lift_to(picture.image, kDarkestLuma);
  if (options.is_dark) {
    conditions.exposure = Exposure::dark;
    conditions.exposure_gain = dark_luma / mean_luma(picture.image);
    expose(picture.image, conditions.exposure_gain);
  }
  if (options.is_blurred) {
    conditions.blur = Blur::blurred;
    conditions.blur_sigma_px = blur_part * std::max(width, height);
  }
  blur(picture.image, conditions.blur_sigma_px);
  if (options.is_dark || options.is_blurred) {  // which noise would make hard to tell
    conditions.noise = Noise::clean;
    conditions.noise_sigma = 0;
  }
  add_noise(picture.image, conditions.noise_sigma, camera);
  return picture;
}

}  // namespace verilabel::demo
