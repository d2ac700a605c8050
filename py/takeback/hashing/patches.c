/* Local hashes: 64 bits of each of some patches around blobs, which are found again in a copy that was cut, zoomed or
 * pasted into another picture. PROTOCOL.md specifies them, "The local hashes of a picture".
 *
 *   thumbnail -> scale space -> differences of Gaussians -> blobs -> patches of 16 x 16 -> DCT -> signs
 *
 * Blobs are extrema of differences of Gaussians in place and size (Lowe, "Distinctive Image Features from
 * Scale-Invariant Keypoints", 2004). As in kernel.c, results are the same natively and in WebAssembly: float32, each
 * sum in the order written here, no fused multiply-add, no library, no allocation.
 */
#include <stddef.h>
#include <stdint.h>

#include "cosines.h"

#pragma STDC FP_CONTRACT OFF

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum {
  SCALES = 3,           /* sizes of blobs an octave */
  OCTAVES = 6,
  DIFFERENCES = SCALES + 2,
  RADIUS = 10,          /* of the widest Gaussian */
  RING = 2 * RADIUS + 1, /* rows that it needs */
  LEAST_SIDE = 16,      /* pixels of an octave */
  CHUNK = 16,           /* pixels that are blurred together */
  MAX_BLOBS = 8192,
  MAX_KEPT = 200,       /* blobs whose patches are hashed */
  SIDE = 64,            /* samples of an axis for which the cosines are */
  SAMPLES = 16,         /* of a patch, an axis */
  WAVES = 8,            /* frequencies of an axis, from 0 */
  TURNS = 5,            /* angles at which an upload is hashed: 0, 7, -7, 14 and -14 degrees */
  TRANSPOSED = TURNS,   /* the number of the form that is mirrored along the diagonal */
  LEVELS = 256,         /* of grey */
  LIKE = 5,             /* grey levels that count as one: a JPEG spreads a plain ground over several */
  MOST_DRAWN = 154,     /* of the 256 samples of a patch, on two grey levels: more is ink on a plain ground */
  MAX_SENT = 16,
  LEAST_ONES = 16,      /* set bits of a hash that is sent, and at most 64 less this: others are of hardly any shape */
  CANDIDATES = 80,      /* blobs among which a person's are chosen */
  ASKED = 200,          /* blobs of an upload that are looked up upright, */
  ASKED_TURNED = 50,    /* and in other forms */
  RIVALS = 80,          /* blobs of a rehearsed copy */
  REHEARSALS = 5,
  FOUND = 10,           /* greatest distance in bits at which a blob counts as found again */
  ALIKE = 12,           /* two hashes this near are of the same thing */
  REPEATS = 3,          /* a thing seen this often in a picture is a pattern */
  ALIGNMENT = 64,
};

static const float SIGMA = 1.6f;         /* of the first Gaussian, in pixels of its octave */
static const float LEAST_RESPONSE = 1.5f; /* grey levels of a difference */
static const float EDGE = 10.0f;         /* the greatest ratio of curvatures: more is an edge, along which a blob slides */
static const float REACH = 6.0f;         /* half the side of a patch, in sigmas of its blob */
static const float MAX_SIGMA = 60.0f;
static const float OUTSIDE = 2.0f;       /* pixels by which a patch may leave the picture */
static const float LEAST_VARIANCE = 64.0f;
static const float MAX_STEP = 1.5f;      /* pixels of an octave between samples */
static const float UNSURE = 0.01f;       /* share of a patch's energy below which the sign of a wave is unsure */

static const uint64_t MIRROR_ACROSS = 0xaaaaaaaaaaaaaaaaull; /* waves that change sign when left and right are swapped */
static const uint64_t MIRROR_DOWN = 0xff00ff00ff00ff00ull;   /* when top and bottom are */
static const uint64_t BRIGHT = 1, ACROSS = 1ull << 1, DOWN = 1ull << WAVES, FORM = 1 | 1ull << 1 | 1ull << WAVES;

/* Halves of the Gaussians between two levels: exp(-k * k / (2 s * s)) over the sum, where s is 1.52 for the first
   (1.6 from the half pixel that a thumbnail has), then 1.226, 1.545, 1.947, 2.453, 3.09. */
static const int RADII[DIFFERENCES + 1] = {5, 4, 5, 6, 8, 10};
static const float GAUSSIANS[DIFFERENCES + 1][RADIUS + 1] = {
    {0x1.0cd8a8p-2f, 0x1.b10afcp-3f, 0x1.c46e1cp-4f, 0x1.329876p-5f, 0x1.0d872ap-7f, 0x1.335f7ap-10f},
    {0x1.4d3102p-2f, 0x1.dde186p-3f, 0x1.607b78p-4f, 0x1.0b68ccp-6f, 0x1.a1518ap-10f},
    {0x1.087d08p-2f, 0x1.ad02a4p-3f, 0x1.c9b5ecp-4f, 0x1.413360p-5f, 0x1.288526p-7f, 0x1.6819c8p-10f},
    {0x1.a40908p-3f, 0x1.701c74p-3f, 0x1.ef8d18p-4f, 0x1.002f78p-4f, 0x1.96e15ap-6f, 0x1.f052f2p-8f, 0x1.d0ff42p-10f},
    {0x1.4d4c4ap-3f, 0x1.32b670p-3f, 0x1.de08a4p-4f, 0x1.3b7774p-4f, 0x1.609852p-5f, 0x1.4dbb32p-6f, 0x1.0b7eb0p-7f,
     0x1.6b2142p-9f, 0x1.a173b4p-11f},
    {0x1.0894bcp-3f, 0x1.f62a3ap-4f, 0x1.ad2916p-4f, 0x1.4a4ccep-4f, 0x1.c9def0p-5f, 0x1.1dccecp-5f, 0x1.41502ap-6f,
     0x1.4551aep-7f, 0x1.289fb8p-8f, 0x1.e72242p-10f, 0x1.683a0ep-11f}};
static const float SIZES[SCALES + 1] = {0x1.000000p+0f, 0x1.428a30p+0f, 0x1.965feap+0f, 0x1.000000p+1f}; /* 2^(i/3) */
static const float COSINE[TURNS] = {1.0f, 0x1.fc2f02p-1f, 0x1.fc2f02p-1f, 0x1.f0ca9ap-1f, 0x1.f0ca9ap-1f};
static const float SINE[TURNS] = {0.0f, 0x1.f32d44p-4f, -0x1.f32d44p-4f, 0x1.ef74c0p-3f, -0x1.ef74c0p-3f};

struct image {
  int width, height;
  float *pixels;
};

/* A blob: its centre and sigma in pixels of the thumbnail, the square of its rank, and whether it is bright on dark. */
struct blob {
  float x, y, sigma, rank;
  int bright;
};

/* The scale space of one picture: the picture itself, and the first level of each octave. */
struct pyramid {
  struct image picture, octave[OCTAVES];
  int octaves;
};

struct patch {
  uint64_t hash;
  int unsure_across, unsure_down; /* whether the sign of the lowest wave on an axis may differ in a copy */
};

/* All that is needed for a thumbnail: its pyramid, that of a copy of it, and what both need in passing. */
struct work {
  struct pyramid own, copy;
  float *difference[DIFFERENCES], *level[2], *ring;
  struct blob blobs[MAX_BLOBS], kept[MAX_KEPT], rivals[MAX_KEPT];
  struct patch patches[MAX_KEPT], others[MAX_KEPT];
  float waves[WAVES][SAMPLES];
};

/* A patch to look up: the number of its place, how the upload was turned, its middle and its side in pixels. */
struct asked_patch {
  uint64_t hash;
  int32_t spot, turn, x, y, side;
};

/* ---- memory ---- */

static float *room(uintptr_t *free, size_t floats) {
  float *taken = (float *)*free;
  *free += (floats * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return taken;
}

static void room_for(struct pyramid *p, uintptr_t *free, int width, int height) {
  p->picture = (struct image){width, height, room(free, (size_t)width * (size_t)height)};
  for (p->octaves = 0; p->octaves < OCTAVES && width >= LEAST_SIDE && height >= LEAST_SIDE; width /= 2, height /= 2)
    p->octave[p->octaves++] = (struct image){width, height, room(free, (size_t)width * (size_t)height)};
}

/* The rows of the ring, and one with room on either side. */
static size_t ring_floats(int width) { return (size_t)(RING + 1) * (size_t)width + 2 * RADIUS; }

/* Lays out the arrays after `w`, which lies at `start`; returns their end. A copy is never larger than the thumbnail. */
static uintptr_t lay_out(struct work *w, uintptr_t start, int width, int height) {
  uintptr_t free = start + (sizeof(struct work) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t size = (size_t)width * (size_t)height;
  room_for(&w->own, &free, width, height);
  room_for(&w->copy, &free, width, height);
  for (int i = 0; i < DIFFERENCES; i++) w->difference[i] = room(&free, size);
  for (int i = 0; i < 2; i++) w->level[i] = room(&free, size);
  w->ring = room(&free, ring_floats(width));
  return free;
}

static struct work *aligned(void *memory) {
  return (struct work *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

/* ---- scale space ---- */

static inline float *row_of(float *pixels, int row, int width) { return pixels + (size_t)row * (size_t)width; }

/* Weighted sums of `CHUNK` pixels and those on either side: `before` and `after` lead to the rows or columns i away. */
static inline void weigh(const float *weights, int radius, const float *middle, const float *const *before,
                         const float *const *after, int x, float *out) {
  float sum[CHUNK];
  for (int k = 0; k < CHUNK; k++) sum[k] = weights[0] * middle[x + k];
  for (int i = 1; i <= radius; i++) {
    const float *a = before[i] + x, *b = after[i] + x;
    for (int k = 0; k < CHUNK; k++) sum[k] += weights[i] * (a[k] + b[k]);
  }
  for (int k = 0; k < CHUNK; k++) out[x + k] = sum[k];
}

/* The same for a whole row; the last chunk of a row overlaps the one before it. */
static void weigh_row(const float *weights, int radius, const float *middle, const float *const *before,
                      const float *const *after, int width, float *out) {
  for (int x = 0; x + CHUNK < width; x += CHUNK) weigh(weights, radius, middle, before, after, x, out);
  weigh(weights, radius, middle, before, after, width - CHUNK, out);
}

/* Blurs a row along itself; pixels beyond its ends are those at the ends. `line` has room for them on either side. */
static void blur_row(const float *row, int width, int level, float *line, float *out) {
  const float *before[RADIUS + 1], *after[RADIUS + 1];
  for (int i = 1; i <= RADII[level]; i++) {
    before[i] = line - i, after[i] = line + i;
    line[-i] = row[0], line[width - 1 + i] = row[width - 1];
  }
  for (int x = 0; x < width; x++) line[x] = row[x];
  weigh_row(GAUSSIANS[level], RADII[level], line, before, after, width, out);
}

/* Blurs `from` into `to` and, unless it is null, writes what that changed to `difference`. Rows are blurred along
   themselves as they are needed down the columns, and kept in a ring, because the processor's cache holds that. */
static void blur(const struct image *from, int level, float *ring, float *to, float *difference) {
  int width = from->width, height = from->height, radius = RADII[level], done = 0;
  const float *before[RADIUS + 1], *after[RADIUS + 1];
  for (int y = 0; y < height; y++) {
    for (; done < height && done <= y + radius; done++)
      blur_row(row_of(from->pixels, done, width), width, level, row_of(ring, RING, width) + RADIUS,
               row_of(ring, done % RING, width));
    for (int i = 1; i <= radius; i++) {
      before[i] = row_of(ring, (y - i < 0 ? 0 : y - i) % RING, width);
      after[i] = row_of(ring, (y + i >= height ? height - 1 : y + i) % RING, width);
    }
    float *out = row_of(to, y, width);
    weigh_row(GAUSSIANS[level], radius, row_of(ring, y % RING, width), before, after, width, out);
    if (!difference) continue;
    const float *row = row_of(from->pixels, y, width);
    float *changed = row_of(difference, y, width);
    for (int x = 0; x < width; x++) changed[x] = out[x] - row[x];
  }
}

static void halve(const float *from, int width, const struct image *to) {
  for (int y = 0; y < to->height; y++)
    for (int x = 0; x < to->width; x++) {
      const float *at = from + (size_t)(2 * y) * (size_t)width + 2 * x;
      to->pixels[(size_t)y * (size_t)to->width + x] = (at[0] + at[1] + at[width] + at[width + 1]) / 4.0f;
    }
}

/* Fills `difference` with the differences of one octave, and starts the next octave. */
static void differ(struct work *w, const struct pyramid *p, int octave) {
  struct image from = p->octave[octave];
  for (int i = 0; i < DIFFERENCES; i++) {
    float *level = w->level[i & 1];
    blur(&from, i + 1, w->ring, level, w->difference[i]);
    if (i + 1 == SCALES && octave + 1 < p->octaves) halve(level, from.width, &p->octave[octave + 1]);
    from.pixels = level;
  }
}

/* ---- blobs ---- */

/* Whether a value lies above those of a row of three, or below them if `sign` is negative. */
static inline int exceeds(const float *row, float value, float sign) {
  return sign * row[-1] < value && sign * row[0] < value && sign * row[1] < value;
}

static int is_extremum(const struct work *w, int scale, size_t at, int width) {
  const float *own = w->difference[scale] + at;
  float sign = *own < 0.0f ? -1.0f : 1.0f, value = sign * *own;
  if (sign * own[-1] >= value || sign * own[1] >= value) return 0;
  if (!exceeds(own - width, value, sign) || !exceeds(own + width, value, sign)) return 0;
  for (int k = -1; k <= 1; k += 2)
    for (int y = -1; y <= 1; y++)
      if (!exceeds(w->difference[scale + k] + (ptrdiff_t)at + y * width, value, sign)) return 0;
  return 1;
}

static float clamped(float value) { return value < -0.5f ? -0.5f : value > 0.5f ? 0.5f : value; }

/* The vertex of a parabola through three values, relative to the middle one. */
static float vertex(float slope, float curve) { return curve == 0.0f ? 0.0f : clamped(-slope / curve); }

/* Measures the extremum at (x, y); returns 0 for one on an edge. */
static int measure(const struct work *w, int octave, int scale, int x, int y, int width, struct blob *found) {
  ptrdiff_t at = (ptrdiff_t)y * width + x;
  const float *d = w->difference[scale] + at;
  float value = d[0], above = w->difference[scale + 1][at], below = w->difference[scale - 1][at];
  float slope_x = (d[1] - d[-1]) / 2.0f, slope_y = (d[width] - d[-width]) / 2.0f, slope_s = (above - below) / 2.0f;
  float xx = d[1] + d[-1] - 2.0f * value, yy = d[width] + d[-width] - 2.0f * value, ss = above + below - 2.0f * value;
  float xy = (d[width + 1] - d[width - 1] - d[-width + 1] + d[-width - 1]) / 4.0f;
  float trace = xx + yy, determinant = xx * yy - xy * xy;
  if (determinant <= 0.0f || trace * trace * EDGE >= (EDGE + 1.0f) * (EDGE + 1.0f) * determinant) return 0;
  float off_x = vertex(slope_x, xx), off_y = vertex(slope_y, yy), off_s = vertex(slope_s, ss);
  float pixels = (float)(1 << octave), t = off_s * 0.23104906f; /* ln(2) / 3 */
  float size = SIZES[scale] * (1.0f + t * (1.0f + t * (0.5f + t * 0.16666667f)));
  float peak = value + 0.5f * (slope_x * off_x + slope_y * off_y + slope_s * off_s);
  found->x = ((float)x + off_x + 0.5f) * pixels - 0.5f;
  found->y = ((float)y + off_y + 0.5f) * pixels - 0.5f;
  found->sigma = SIGMA * size * pixels;
  found->rank = peak * peak * found->sigma;
  found->bright = value < 0.0f; /* a difference is the wider Gaussian less the narrower */
  return 1;
}

static int is_inside(const struct blob *b, const struct image *picture) {
  float r = REACH * b->sigma;
  return b->sigma <= MAX_SIGMA && b->x - r > -OUTSIDE && b->y - r > -OUTSIDE &&
         b->x + r < (float)picture->width + OUTSIDE && b->y + r < (float)picture->height + OUTSIDE;
}

/* Marks the pixels of a row that may be extrema: beyond the pixels beside them in place and size. */
static void mark(const float *own, const float *below, const float *above, int width, int32_t *marks) {
  for (int x = 1; x + 1 < width; x++) {
    float v = own[x], a = own[x - 1], b = own[x + 1], c = own[x - width], d = own[x + width], e = below[x], f = above[x];
    int high = (v >= LEAST_RESPONSE) & (v > a) & (v > b) & (v > c) & (v > d) & (v > e) & (v > f);
    int low = (v <= -LEAST_RESPONSE) & (v < a) & (v < b) & (v < c) & (v < d) & (v < e) & (v < f);
    marks[x] = high | low;
  }
}

static int find_blobs(struct work *w, const struct pyramid *p) {
  int count = 0;
  int32_t *marks = (int32_t *)w->ring;
  for (int octave = 0; octave < p->octaves; octave++) {
    int width = p->octave[octave].width, height = p->octave[octave].height;
    differ(w, p, octave);
    for (int scale = 1; scale <= SCALES; scale++)
      for (int y = 1; y + 1 < height; y++) {
        size_t row = (size_t)y * (size_t)width;
        mark(w->difference[scale] + row, w->difference[scale - 1] + row, w->difference[scale + 1] + row, width, marks);
        for (int x = 1; x + 1 < width; x++)
          if (marks[x] && count < MAX_BLOBS && is_extremum(w, scale, row + (size_t)x, width) &&
              measure(w, octave, scale, x, y, width, &w->blobs[count]) && is_inside(&w->blobs[count], &p->picture))
            count++;
      }
  }
  return count;
}

static int is_near(const struct blob *a, const struct blob *b) {
  float x = a->x - b->x, y = a->y - b->y;
  float small = a->sigma < b->sigma ? a->sigma : b->sigma, large = a->sigma < b->sigma ? b->sigma : a->sigma;
  return x * x + y * y <= 4.0f * small * small && large * large <= 2.0f * small * small;
}

/* Keeps up to `most` blobs that are apart from each other, the strongest first; of equals the one found first. */
static int keep_blobs(struct blob *blobs, int count, struct blob *kept, int most) {
  int held = 0;
  while (held < most) {
    int best = -1;
    for (int i = 0; i < count; i++)
      if (blobs[i].rank > 0.0f && (best < 0 || blobs[i].rank > blobs[best].rank)) best = i;
    if (best < 0) break;
    struct blob one = blobs[best];
    blobs[best].rank = 0.0f;
    int apart = 1;
    for (int i = 0; i < held && apart; i++) apart = !is_near(&one, &kept[i]);
    if (apart) kept[held++] = one;
  }
  return held;
}

/* ---- patches ---- */

static float clip(float value, float last) { return value < 0.0f ? 0.0f : value > last ? last : value; }

static float pixel(const struct image *image, float x, float y) {
  x = clip(x, (float)(image->width - 1));
  y = clip(y, (float)(image->height - 1));
  int left = (int)x, top = (int)y;
  int right = left + 1 < image->width ? left + 1 : left, down = top + 1 < image->height ? image->width : 0;
  float u = x - (float)left, v = y - (float)top;
  const float *row = image->pixels + (size_t)top * (size_t)image->width;
  float upper = row[left] + (row[right] - row[left]) * u;
  float lower = row[down + left] + (row[down + right] - row[down + left]) * u;
  return upper + (lower - upper) * v;
}

/* Samples a patch, turned by the angle numbered `turn`, from the octave that suits its size. */
static void sample(const struct pyramid *p, const struct blob *b, int turn, float out[SAMPLES][SAMPLES]) {
  float step = 2.0f * REACH * b->sigma / (float)SAMPLES, scale = 1.0f;
  const struct image *from = &p->picture;
  for (int octave = 0; octave < p->octaves && step >= MAX_STEP * (float)(1 << octave); octave++) {
    from = &p->octave[octave];
    scale = (float)(1 << octave);
  }
  for (int i = 0; i < SAMPLES; i++)
    for (int j = 0; j < SAMPLES; j++) {
      float u = ((float)j + 0.5f - (float)SAMPLES / 2.0f) * step, v = ((float)i + 0.5f - (float)SAMPLES / 2.0f) * step;
      float x = b->x + COSINE[turn] * u - SINE[turn] * v, y = b->y + SINE[turn] * u + COSINE[turn] * v;
      out[i][j] = pixel(from, (x + 0.5f) / scale - 0.5f, (y + 0.5f) / scale - 0.5f);
    }
}

/* The number of samples on the level, give or take two, that most samples are on; takes them out of `levels`. */
static int take_most_common(int *levels) {
  int most = 0, last = 0, sum = 0;
  for (int level = 0; level < LEVELS; level++) {
    sum += levels[level] - (level >= LIKE ? levels[level - LIKE] : 0);
    if (sum > most) most = sum, last = level;
  }
  for (int level = last; level >= 0 && level > last - LIKE; level--) levels[level] = 0;
  return most;
}

/* Whether a patch shows ink on a plain ground, such as a letter or a button: two greys make up most of it. */
static int is_drawn(float samples[SAMPLES][SAMPLES]) {
  int levels[LEVELS] = {0};
  for (int i = 0; i < SAMPLES; i++)
    for (int j = 0; j < SAMPLES; j++) levels[(int)(samples[i][j] + 0.5f)]++;
  int ground = take_most_common(levels);
  return ground + take_most_common(levels) > MOST_DRAWN;
}

static int has_detail(float samples[SAMPLES][SAMPLES]) {
  float sum = 0.0f, squares = 0.0f, count = (float)(SAMPLES * SAMPLES);
  for (int i = 0; i < SAMPLES; i++)
    for (int j = 0; j < SAMPLES; j++) sum += samples[i][j], squares += samples[i][j] * samples[i][j];
  return squares / count - (sum / count) * (sum / count) >= LEAST_VARIANCE;
}

/* The first frequencies of the patch: row = vertical frequency. Each sum runs in index order. */
static void waves_of(const struct work *w, float samples[SAMPLES][SAMPLES], float out[WAVES][WAVES]) {
  float half[WAVES][SAMPLES];
  for (int i = 0; i < WAVES; i++) {
    for (int x = 0; x < SAMPLES; x++) half[i][x] = 0.0f;
    for (int y = 0; y < SAMPLES; y++)
      for (int x = 0; x < SAMPLES; x++) half[i][x] += w->waves[i][y] * samples[y][x];
    for (int j = 0; j < WAVES; j++) {
      float sum = 0.0f;
      for (int x = 0; x < SAMPLES; x++) sum += half[i][x] * w->waves[j][x];
      out[i][j] = sum;
    }
  }
}

/* Hashes a patch: the signs of its waves, and in place of the mean whether the blob is bright. Returns 0 if it is flat. */
static int hash_patch(const struct work *w, const struct pyramid *p, const struct blob *b, int turn, struct patch *out) {
  float samples[SAMPLES][SAMPLES], waves[WAVES][WAVES], energy = 0.0f;
  sample(p, b, turn, samples);
  if (!has_detail(samples) || is_drawn(samples)) return 0;
  waves_of(w, samples, waves);
  out->hash = b->bright ? BRIGHT : 0;
  for (int k = 1; k < WAVES * WAVES; k++) {
    float wave = waves[k / WAVES][k % WAVES];
    energy += wave * wave;
    if (wave > 0.0f) out->hash |= 1ull << k;
  }
  out->unsure_across = waves[0][1] * waves[0][1] < UNSURE * energy;
  out->unsure_down = waves[1][0] * waves[1][0] < UNSURE * energy;
  return 1;
}

static int distance(uint64_t a, uint64_t b) { return __builtin_popcountll(a ^ b); }

static uint64_t transposed(uint64_t hash) {
  uint64_t out = 0;
  for (int k = 0; k < WAVES * WAVES; k++) out |= (hash >> k & 1) << (k % WAVES * WAVES + k / WAVES);
  return out;
}

/* A hash as it is sent and looked up: that of the bright patch whose lowest waves begin high on the left and at the top,
   with three bits for how the patch was changed to be that one. So the hash of a mirrored, upside-down or inverted
   patch differs in just one of these bits. */
static uint64_t settled(uint64_t hash) {
  uint64_t form = 0;
  if (!(hash & BRIGHT)) hash = ~hash, form |= BRIGHT;
  if (!(hash & ACROSS)) hash ^= MIRROR_ACROSS, form |= ACROSS;
  if (!(hash & DOWN)) hash ^= MIRROR_DOWN, form |= DOWN;
  return (hash & ~FORM) | form;
}

/* Whether a patch is seen in several places of the picture, in whatever form: a window of a house, a sticker. */
static int is_pattern(const struct work *w, int which, int count) {
  const struct blob *own = &w->kept[which];
  uint64_t hash = settled(w->patches[which].hash) & ~FORM;
  float apart = REACH * own->sigma / 2.0f; /* a quarter of its side */
  int places = 1;
  for (int i = 0; i < count && places < REPEATS; i++) {
    float x = w->kept[i].x - own->x, y = w->kept[i].y - own->y;
    if (x <= apart && x >= -apart && y <= apart && y >= -apart) continue;
    places += distance(hash, settled(w->patches[i].hash) & ~FORM) <= FOUND;
  }
  return places >= REPEATS;
}

static void start(struct work *w, const uint8_t *plane) {
  struct image *picture = &w->own.picture;
  for (int i = 0; i < picture->width * picture->height; i++) picture->pixels[i] = plane[i];
  for (int i = 0; i < WAVES; i++)
    for (int x = 0; x < SAMPLES; x++) {
      int m = SIDE / SAMPLES * i * (2 * x + 1) & 255;
      if (m > 128) m = 256 - m;
      w->waves[i][x] = m > 64 ? -COSINES[128 - m] : m == 64 ? 0.0f : COSINES[m];
    }
}

/* Finds the strongest blobs of a picture whose pixels are in `p`. */
static int blobs_of(struct work *w, struct pyramid *p, struct blob *kept, int most) {
  if (!p->octaves) return 0;
  blur(&p->picture, 0, w->ring, p->octave[0].pixels, NULL);
  return keep_blobs(w->blobs, find_blobs(w, p), kept, most);
}

/* Hashes blobs upright and drops flat ones, from both arrays. */
static int patches_of(const struct work *w, const struct pyramid *p, struct blob *blobs, struct patch *out, int count) {
  int held = 0;
  for (int i = 0; i < count; i++)
    if (hash_patch(w, p, &blobs[i], 0, &out[held])) blobs[held++] = blobs[i];
  return held;
}

/* ---- the choice of what a person sends ---- */

/* Whether a picture is a page of text or an interface, which shares its letters and keys with many others. */
static int is_mostly_drawn(const struct pyramid *p, const struct blob *blobs, int count) {
  float samples[SAMPLES][SAMPLES];
  int drawn = 0;
  for (int i = 0; i < count; i++) {
    sample(p, &blobs[i], 0, samples);
    drawn += is_drawn(samples);
  }
  return 8 * drawn > 3 * count;
}

/* A copy that is made to see which patches are found again: the size of its sides, and where (x, y) of the copy, from
   its middle, lies in the picture: from the middle too, in pixels. */
struct rehearsal {
  float width, height, a, b, c, d;
  int halved, weight;
};

static const struct rehearsal REHEARSED[REHEARSALS] = {
    {0.62f, 0.62f, 1.612903f, 0.0f, 0.0f, 1.612903f, 0, 1},
    {0.4f, 0.4f, 2.5f, 0.0f, 0.0f, 2.5f, 1, 2},
    {0.8f, 0.8f, 1.246955f, 0.08719559f, -0.08719559f, 1.246955f, 0, 1}, /* turned by 4 degrees */
    {0.8f, 0.8f, 0.9818543f, -0.06865795f, 0.06865795f, 0.9818543f, 0, 1}, /* by -4, and zoomed by 1.27 */
    {0.8f, 0.7f, 1.25f, 0.0f, 0.0f, 1.428571f, 0, 1},
};

/* Draws the copy into `w->copy`. */
static void rehearse(struct work *w, const struct rehearsal *r) {
  const struct image *own = &w->own.picture, *from = r->halved && w->own.octaves > 1 ? &w->own.octave[1] : own;
  float scale = from == own ? 1.0f : 2.0f;
  int width = (int)((float)own->width * r->width), height = (int)((float)own->height * r->height);
  struct pyramid *copy = &w->copy;
  copy->picture.width = width;
  copy->picture.height = height;
  int octaves = 0;
  for (; octaves < OCTAVES && width >= LEAST_SIDE && height >= LEAST_SIDE; width /= 2, height /= 2, octaves++) {
    copy->octave[octaves].width = width;
    copy->octave[octaves].height = height;
  }
  copy->octaves = octaves < w->own.octaves ? octaves : w->own.octaves;
  float half_wide = (float)own->width / 2.0f, half_high = (float)own->height / 2.0f;
  for (int i = 0; i < copy->picture.height; i++)
    for (int j = 0; j < copy->picture.width; j++) {
      float u = (float)j + 0.5f - (float)copy->picture.width / 2.0f;
      float v = (float)i + 0.5f - (float)copy->picture.height / 2.0f;
      float x = (half_wide + r->a * u + r->b * v) / scale, y = (half_high + r->c * u + r->d * v) / scale;
      copy->picture.pixels[(size_t)i * (size_t)copy->picture.width + j] = pixel(from, x - 0.5f, y - 0.5f);
    }
}

/* Adds to each patch's score how nearly it is found in the copy. */
static void score_by(struct work *w, const struct rehearsal *r, int count, float *scores) {
  rehearse(w, r);
  int found = patches_of(w, &w->copy, w->rivals, w->others, blobs_of(w, &w->copy, w->rivals, RIVALS));
  for (int i = 0; i < count; i++) {
    int least = FOUND + 1;
    for (int k = 0; k < found; k++) {
      int far = distance(w->patches[i].hash, w->others[k].hash);
      if (far < least) least = far;
    }
    scores[i] += (float)(r->weight * (FOUND + 1 - least));
  }
}


static int hardly_has_shape(uint64_t hash) {
  int ones = __builtin_popcountll(settled(hash));
  return ones < LEAST_ONES || ones > WAVES * WAVES - LEAST_ONES;
}

static const float GONE = -1e9f;

/* Lowers the scores of the patches near the one that was chosen, so that the choice is spread over the picture. */
static void spread(const struct work *w, int chosen, int count, float *scores) {
  const struct image *picture = &w->own.picture;
  for (int i = 0; i < count; i++) {
    float x = (w->kept[i].x - w->kept[chosen].x) / (float)picture->width;
    float y = (w->kept[i].y - w->kept[chosen].y) / (float)picture->height;
    float near = 1.0f - (x * x + y * y) / 0.04f; /* to a fifth of the sides */
    if (near > 0.0f) scores[i] -= 6.0f * near * near;
    if (distance(w->patches[i].hash, w->patches[chosen].hash) <= ALIKE) scores[i] = GONE;
  }
}

static int choose(struct work *w, int count, float *scores, uint64_t *sent) {
  int held = 0;
  while (held < MAX_SENT) {
    int best = -1;
    for (int i = 0; i < count; i++)
      if (scores[i] > GONE / 2.0f && (best < 0 || scores[i] > scores[best])) best = i;
    if (best < 0) break;
    sent[held++] = settled(w->patches[best].hash);
    spread(w, best, count, scores);
  }
  return held;
}

/* ---- exported functions ---- */

/* Bytes of memory needed for a thumbnail of `width` x `height`. */
EXPORT size_t patches_size(int width, int height) {
  /* Two pyramids, each of less than 7/3 of the picture, and seven arrays of its size. */
  size_t floats = (size_t)width * (size_t)height * 12 + ring_floats(width);
  return sizeof(struct work) + floats * sizeof(float) + ALIGNMENT * (2 * OCTAVES + DIFFERENCES + 8);
}

/* Chooses the patches that a person sends: writes up to 16 hashes to `sent` and returns their number. */
EXPORT int patches_sent(void *memory, const uint8_t *plane, int width, int height, uint64_t *sent) {
  struct work *w = aligned(memory);
  float scores[MAX_KEPT];
  lay_out(w, (uintptr_t)w, width, height);
  start(w, plane);
  int count = blobs_of(w, &w->own, w->kept, CANDIDATES);
  if (is_mostly_drawn(&w->own, w->kept, count)) return 0;
  count = patches_of(w, &w->own, w->kept, w->patches, count);
  for (int i = 0; i < count; i++) scores[i] = 8.0f * (1.0f - (float)i / (float)count);
  for (int i = 0; i < REHEARSALS; i++) score_by(w, &REHEARSED[i], count, scores);
  for (int i = 0; i < count; i++)
    if (hardly_has_shape(w->patches[i].hash) || is_pattern(w, i, count)) scores[i] = GONE;
  return choose(w, count, scores, sent);
}

/* Writes a hash, and those that it may have in a copy because a sign that decides its form is unsure. */
static int ask(const struct blob *place, const struct patch *patch, int spot, int turn, struct asked_patch *out) {
  int count = 0, x = (int)(place->x + 0.5f), y = (int)(place->y + 0.5f), side = (int)(2.0f * REACH * place->sigma);
  for (int unsure = 0; unsure < 4; unsure++) {
    if (((unsure & 1) && !patch->unsure_across) || ((unsure & 2) && !patch->unsure_down)) continue;
    uint64_t hash = patch->hash ^ ((unsure & 1) ? ACROSS : 0) ^ ((unsure & 2) ? DOWN : 0);
    out[count++] = (struct asked_patch){settled(hash), spot, turn, x, y, side};
  }
  return count;
}

/* Writes the patches of an upload that are looked up to `asked`, which has room for 4 x 200 + 20 x 50, and returns their
   number; without `turned` only those of the upright upload. */
EXPORT int patches_asked(void *memory, const uint8_t *plane, int width, int height, int turned,
                         struct asked_patch *asked) {
  struct work *w = aligned(memory);
  lay_out(w, (uintptr_t)w, width, height);
  start(w, plane);
  int count = patches_of(w, &w->own, w->kept, w->patches, blobs_of(w, &w->own, w->kept, ASKED)), written = 0;
  for (int spot = 0; spot < count; spot++) {
    const struct blob *place = &w->kept[spot];
    if (is_pattern(w, spot, count)) continue;
    written += ask(place, &w->patches[spot], spot, 0, asked + written);
    if (!turned || spot >= ASKED_TURNED) continue;
    struct patch other = w->patches[spot];
    other.hash = transposed(other.hash);
    other.unsure_across = w->patches[spot].unsure_down;
    other.unsure_down = w->patches[spot].unsure_across;
    written += ask(place, &other, spot, TRANSPOSED, asked + written);
    for (int turn = 1; turn < TURNS; turn++)
      if (hash_patch(w, &w->own, place, turn, &other)) written += ask(place, &other, spot, turn, asked + written);
  }
  return written;
}
