/* Streaming PDQ: pixels are pushed row by row, and only a few rows are kept at a time.
 *
 * This file is compiled both for WebAssembly and natively, with identical results:
 * float32 in the order of Meta's reference, no fused multiply-add (-ffp-contract=off), no library, no allocation.
 * Sums in float64 would move hashes of black-and-white graphics by 37 bits, beyond the match distance of 31.
 * PDQ: Meta, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm", 2019; full-size rule.
 *
 * A picture is processed in groups of ROWS rows:
 *
 *   luma -> lanes -> box along rows -> box down columns -> box along rows -> box down columns -> 64 x 64 -> DCT
 *
 * A box filter is a running sum: at each step ("tick") one sample is added, the one `window` ticks older is
 * subtracted, and the sum divided by the count of samples inside the picture is the output for half a window ago.
 * Samples outside the picture are zeros: adding or subtracting 0.0f changes no sum, so edges need no special case.
 * Along rows, the rows of a group lie side by side in vector lanes. The second boxes are only evaluated at the 64
 * columns and 64 rows that PDQ samples.
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
  ROWS = 8,            /* rows of a group: enough independent sums to hide the latency of an addition */
  QUADS = ROWS / 4,    /* vectors that hold one column of a group */
  SIDE = 64,           /* side of the sampled picture */
  FREQUENCIES = 16,    /* DCT frequencies kept of each axis, 1 to 16 */
  COEFFICIENTS = FREQUENCIES * FREQUENCIES,
  MEDIAN_RANK = 128,   /* the median is the 128th smallest of the 256 values, never a mean of two */
  HASH_BYTES = 32,
  DIHEDRALS = 8,
  SMALLEST = 5,        /* a picture with a shorter side has no hash */
  PLANE_SIDE = 640,    /* the longest side that a thumbnail may have */
  TAPS = 4,            /* points per axis for a sample of a region: every second pixel of a thumbnail */
  STANDS_OUT = 8,      /* grey levels by which a sample must differ from its row and column */
  ALIGNMENT = 64,
};

/* An extension of GCC and Clang; `__builtin_shufflevector` below is Clang's, which the pinned zig cc is. */
typedef float quad __attribute__((vector_size(16)));

/* One box filter: its window, the samples ahead of the output, and the length of the row or column. */
struct box {
  int window, ahead, length;
};

/* The state of one picture. The caller owns the memory; the arrays follow the struct. */
struct pdq {
  int width, height, channels;
  int filled;                    /* rows of the group that have been pushed */
  int tick;                      /* rows processed before this group */
  int sampled;                   /* rows of `samples` that are complete */
  size_t pitch;                  /* floats of a row: the width rounded up to whole vectors */
  struct box across, down;
  float *luma;                   /* ROWS rows as pushed */
  float *lanes;                  /* the group transposed: ROWS floats a column, zeros on either side */
  float *boxed;                  /* the same after the first box along rows */
  float *ring;                   /* boxed rows still inside the window */
  float *sums;                   /* the running sum of each column */
  float *ring_sampled, *sums_sampled; /* the same for the second box down, for the 64 sampled columns only */
  int factor;                    /* pixels per axis that make one of the thumbnail; 0: no thumbnail */
  float *plane_sums;             /* the thumbnail's row in progress */
  uint8_t *plane;                /* the thumbnail's rows so far */
  float samples[SIDE * SIDE];
  float direct[SIDE * SIDE];     /* luma of a 64 x 64 picture, which the reference hashes unfiltered */
};

struct pdq_result {
  int32_t quality;                       /* 0 to 100 */
  float coefficients[COEFFICIENTS];      /* row = vertical frequency */
  uint8_t hash[HASH_BYTES];              /* in the order of the hex form: the last coefficient first */
  uint8_t dihedral[DIHEDRALS][HASH_BYTES]; /* orig rot90 rot180 rot270 flipx flipy flipp flipm */
  int32_t detail;                        /* 0 to 100 */
};

/* ---- memory ---- */

static struct box box_of(int length) {
  /* The reference's window and offset: a 128th of the side, rounded up. */
  int window = (length + 127) / 128;
  return (struct box){window, (window + 2) / 2 - 1, length};
}

/* ROWS more than the window, because a whole group is written while the rows of the window are still read. */
static int ring_rows(const struct pdq *p) { return p->down.window + ROWS; }

/* The reference samples at (int)((j + 0.5) * length / 64); in integers this is exact. */
static int sampled_column(const struct pdq *p, int j) { return (int)(((int64_t)(2 * j + 1) * p->width) >> 7); }

static int sampled_row(const struct pdq *p, int i) { return (int)(((int64_t)(2 * i + 1) * p->height) >> 7); }

static int factor_of(int width, int height, int side) { return ((width > height ? width : height) + side - 1) / side; }

static int reduced(int length, int factor) { return (length + factor - 1) / factor; }

static float *take(uintptr_t *free, size_t floats) {
  float *taken = (float *)*free;
  *free += (floats * sizeof(float) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return taken;
}

/* Lays out the arrays after `p`, which lies at `start`; returns their end. */
static uintptr_t lay_out(struct pdq *p, uintptr_t start, int width, int height) {
  uintptr_t free = start + (sizeof(struct pdq) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  p->across = box_of(width);
  p->down = box_of(height);
  p->pitch = ((size_t)width + 3) / 4 * 4;
  size_t margin = (size_t)p->across.window * ROWS;
  p->luma = take(&free, p->pitch * ROWS);
  p->lanes = take(&free, p->pitch * ROWS + 2 * margin) + margin;
  p->boxed = take(&free, p->pitch * ROWS);
  p->ring = take(&free, p->pitch * (size_t)ring_rows(p));
  p->sums = take(&free, p->pitch);
  p->ring_sampled = take(&free, (size_t)SIDE * (size_t)ring_rows(p));
  p->sums_sampled = take(&free, SIDE);
  p->plane_sums = take(&free, PLANE_SIDE);
  p->plane = (uint8_t *)take(&free, PLANE_SIDE * PLANE_SIDE / sizeof(float));
  return free;
}

/* The caller's memory may start anywhere; loads of whole vectors must be aligned. */
static struct pdq *aligned(void *memory) {
  return (struct pdq *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

/* ---- boxes ---- */

static inline quad load(const float *from) { return *(const quad *)from; }
static inline void store(float *to, quad value) { *(quad *)to = value; }
static inline quad all(float value) { return (quad){value, value, value, value}; }

static inline void turn(quad r[4]) {
  quad a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
  quad c = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
  r[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
  r[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
  r[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
  r[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/* Samples inside the picture that the sum holds at `tick`. Never 0, so that ticks past the end stay finite. */
static inline float count_at(struct box box, int tick) {
  int count = tick < box.window ? tick + 1 : tick < box.length ? box.window : box.window + box.length - 1 - tick;
  return (float)(count < 1 ? 1 : count);
}

/* Transposes the group's luma rows into lanes. */
static void luma_to_lanes(struct pdq *p) {
  for (size_t x = 0; x < p->pitch; x += 4)
    for (int q = 0; q < QUADS; q++) {
      quad r[4];
      for (int k = 0; k < 4; k++) r[k] = load(p->luma + (size_t)(4 * q + k) * p->pitch + x);
      turn(r);
      for (int k = 0; k < 4; k++) store(p->lanes + (x + (size_t)k) * ROWS + 4 * q, r[k]);
    }
}

static inline void tick_lanes(const float *lanes, int window, int tick, quad sum[QUADS]) {
  const float *enters = lanes + (ptrdiff_t)tick * ROWS, *leaves = enters - (ptrdiff_t)window * ROWS;
  for (int q = 0; q < QUADS; q++) sum[q] = sum[q] + load(enters + 4 * q) - load(leaves + 4 * q);
}

static inline void divide_lanes(float *to, const quad sum[QUADS], float count) {
  for (int q = 0; q < QUADS; q++) store(to + 4 * q, sum[q] / all(count));
}

/* First box along rows, for every column. */
static void box_across(struct pdq *p) {
  struct box box = p->across;
  quad sum[QUADS] = {0};
  int tick = 0;
  float *out = p->boxed;
  for (; tick < box.ahead; tick++) tick_lanes(p->lanes, box.window, tick, sum);
  for (; tick < box.length + box.ahead; tick++, out += ROWS) {
    tick_lanes(p->lanes, box.window, tick, sum);
    divide_lanes(out, sum, count_at(box, tick));
  }
}

/* Second box along rows, for the sampled columns only; column j of the group is stored in `out` at j * ROWS. */
static void box_across_sampled(const struct pdq *p, float *out) {
  struct box box = p->across;
  quad sum[QUADS] = {0};
  int tick = 0;
  for (int j = 0; j < SIDE; j++) {
    int last = sampled_column(p, j) + box.ahead;
    for (; tick <= last; tick++) tick_lanes(p->lanes, box.window, tick, sum);
    divide_lanes(out + j * ROWS, sum, count_at(box, last));
  }
}

/* First box down columns, from `boxed` back into `lanes`; the output rows lag by `ahead` ticks. */
static void box_down(struct pdq *p) {
  int slots = ring_rows(p);
  float *enters[ROWS];
  const float *leaves[ROWS];
  quad count[ROWS];
  for (int k = 0; k < ROWS; k++) {
    int tick = p->tick + k;
    enters[k] = p->ring + (size_t)(tick % slots) * p->pitch;
    leaves[k] = p->ring + (size_t)((tick - p->down.window + slots) % slots) * p->pitch;
    count[k] = all(count_at(p->down, tick));
  }
  for (size_t x = 0; x < p->pitch; x += 4) {
    quad sum = load(p->sums + x);
    for (int q = 0; q < QUADS; q++) {
      quad r[4];
      for (int k = 0; k < 4; k++) r[k] = load(p->boxed + (x + (size_t)k) * ROWS + 4 * q);
      turn(r);
      for (int k = 0; k < 4; k++) {
        store(enters[4 * q + k] + x, r[k]);
        sum = sum + r[k] - load(leaves[4 * q + k] + x);
        r[k] = sum / count[4 * q + k];
      }
      turn(r);
      for (int k = 0; k < 4; k++) store(p->lanes + (x + (size_t)k) * ROWS + 4 * q, r[k]);
    }
    store(p->sums + x, sum);
  }
}

/* Second box down, for the sampled columns: takes one row, and writes a row of `samples` when one is complete. */
static void box_down_sampled(struct pdq *p, const float *lane, int tick) {
  int slots = ring_rows(p), row = tick - p->down.ahead, inside = tick < p->height;
  float *enters = p->ring_sampled + (size_t)(tick % slots) * SIDE, *sums = p->sums_sampled;
  const float *leaves = p->ring_sampled + (size_t)((tick - p->down.window + slots) % slots) * SIDE;
  for (int j = 0; j < SIDE; j++) {
    float sample = inside ? lane[j * ROWS] : 0.0f;
    enters[j] = sample;
    sums[j] = sums[j] + sample - leaves[j];
  }
  for (; p->sampled < SIDE && sampled_row(p, p->sampled) == row; p->sampled++)
    for (int j = 0; j < SIDE; j++) p->samples[p->sampled * SIDE + j] = sums[j] / count_at(p->down, tick);
}

/* Runs a full group through all four boxes. */
static void run_group(struct pdq *p) {
  float sampled[SIDE * ROWS] __attribute__((aligned(16)));
  luma_to_lanes(p);
  box_across(p);
  box_down(p);
  box_across_sampled(p, sampled);
  for (int k = 0; k < ROWS; k++) {
    int row = p->tick + k - p->down.ahead;
    if (row >= 0) box_down_sampled(p, sampled + k, row);
  }
  p->tick += ROWS;
  p->filled = 0;
}

/* ---- from 64 x 64 samples to the hash ---- */

static float dct_entry(int i, int j) {
  int m = ((i + 1) * (2 * j + 1)) & 255;
  if (m > 128) m = 256 - m;
  return m > 64 ? -COSINES[128 - m] : COSINES[m];
}

/* `out` = D A D'. Each element is summed in index order, as in the reference. */
static void dct(const float samples[SIDE * SIDE], float out[COEFFICIENTS]) {
  float d[FREQUENCIES][SIDE], t[FREQUENCIES][SIDE];
  for (int i = 0; i < FREQUENCIES; i++)
    for (int j = 0; j < SIDE; j++) d[i][j] = dct_entry(i, j);
  for (int i = 0; i < FREQUENCIES; i++) {
    for (int j = 0; j < SIDE; j++) t[i][j] = 0.0f;
    /* `k` is the outer loop, so that `j` fills vectors while each sum still runs in index order. */
    for (int k = 0; k < SIDE; k++)
      for (int j = 0; j < SIDE; j++) t[i][j] += d[i][k] * samples[k * SIDE + j];
  }
  for (int i = 0; i < FREQUENCIES; i++)
    for (int j = 0; j < FREQUENCIES; j++) {
      float sum = 0.0f;
      for (int k = 0; k < SIDE; k++) sum += t[i][k] * d[j][k];
      out[i * FREQUENCIES + j] = sum;
    }
}

static int gradient(float u, float v) {
  /* Truncated here and divided by 90 below, as in the reference. */
  int d = (int)(((u - v) * 100.0f) / 255.0f);
  return d < 0 ? -d : d;
}

static int quality_of(const float s[SIDE * SIDE]) {
  int sum = 0;
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      if (i + 1 < SIDE) sum += gradient(s[i * SIDE + j], s[(i + 1) * SIDE + j]);
      if (j + 1 < SIDE) sum += gradient(s[i * SIDE + j], s[i * SIDE + j + 1]);
    }
  int quality = sum / 90;
  return quality > 100 ? 100 : quality;
}

/* Hoare's selection, in place: the value at index `wanted` once sorted. The order of equal values does not matter. */
static float ranked(float *v, int count, int wanted) {
  int low = 0, high = count - 1;
  while (low < high) {
    float pivot = v[wanted];
    int i = low, j = high;
    while (i <= j) {
      while (v[i] < pivot) i++;
      while (pivot < v[j]) j--;
      if (i > j) break;
      float swapped = v[i];
      v[i++] = v[j];
      v[j--] = swapped;
    }
    if (j < wanted) low = i;
    if (wanted < i) high = j;
  }
  return v[wanted];
}

static float median_of(const float values[COEFFICIENTS]) {
  float v[COEFFICIENTS];
  for (int k = 0; k < COEFFICIENTS; k++) v[k] = values[k];
  return ranked(v, COEFFICIENTS, MEDIAN_RANK - 1);
}

/* Percentage of samples that differ from what the medians of their row and column predict. Lines along the sides,
   bars and edges of a plain background, which many pictures share, give quality but no detail. */
static int detail_of(const float s[SIDE * SIDE]) {
  float rows[SIDE], columns[SIDE], v[SIDE];
  for (int i = 0; i < SIDE; i++) {
    for (int j = 0; j < SIDE; j++) v[j] = s[i * SIDE + j];
    rows[i] = ranked(v, SIDE, SIDE / 2);
    for (int j = 0; j < SIDE; j++) v[j] = s[j * SIDE + i];
    columns[i] = ranked(v, SIDE, SIDE / 2);
  }
  for (int i = 0; i < SIDE; i++) v[i] = rows[i];
  float all = ranked(v, SIDE, SIDE / 2);
  int out = 0;
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      float off = s[i * SIDE + j] - rows[i] - columns[j] + all;
      out += off > (float)STANDS_OUT || off < -(float)STANDS_OUT;
    }
  return 100 * out / (SIDE * SIDE);
}

static void bits_of(const float values[COEFFICIENTS], uint8_t hash[HASH_BYTES]) {
  float median = median_of(values);
  for (int byte = 0; byte < HASH_BYTES; byte++) {
    hash[HASH_BYTES - 1 - byte] = 0;
    for (int bit = 0; bit < 8; bit++)
      hash[HASH_BYTES - 1 - byte] |= (uint8_t)((values[8 * byte + bit] > median) << bit);
  }
}

/* The coefficients of the rotated or mirrored picture: transposed or not, with the signs of odd waves changed. */
static void dihedral_of(const float b[COEFFICIENTS], int which, float out[COEFFICIENTS]) {
  for (int i = 0; i < FREQUENCIES; i++)
    for (int j = 0; j < FREQUENCIES; j++) {
      int row_even = !(i & 1), column_even = !(j & 1), odd = (i + j) & 1;
      int negative[DIHEDRALS] = {0, column_even, odd, row_even, row_even, column_even, 0, odd};
      int transposed = which == 1 || which == 3 || which >= 6;
      float value = b[i * FREQUENCIES + j];
      out[transposed ? j * FREQUENCIES + i : i * FREQUENCIES + j] = negative[which] ? -value : value;
    }
}

/* Fills `result`: the hash from `single`, the rotated and mirrored forms from `filtered`. The two differ only for a
   picture of 64 x 64. */
static void conclude(const float *single, const float *filtered, struct pdq_result *result) {
  float waves[COEFFICIENTS], turned[COEFFICIENTS];
  dct(single, result->coefficients);
  bits_of(result->coefficients, result->hash);
  result->quality = quality_of(single);
  result->detail = detail_of(single);
  if (single == filtered)
    for (int i = 0; i < COEFFICIENTS; i++) waves[i] = result->coefficients[i];
  else
    dct(filtered, waves);
  for (int which = 0; which < DIHEDRALS; which++) {
    dihedral_of(waves, which, turned);
    bits_of(turned, result->dihedral[which]);
  }
}

/* ---- the thumbnail ("plane"), and regions ("views") of it ---- */

/* Adds a row of luma to the thumbnail: means of squares of `factor` pixels, clipped at the right and bottom edge. */
static void reduce(struct pdq *p, const float *luma, int row) {
  int f = p->factor, wide = reduced(p->width, f), lines = row % f + 1;
  for (int x = 0; x < wide; x++) {
    int end = (x + 1) * f < p->width ? (x + 1) * f : p->width;
    float sum = lines == 1 ? 0.0f : p->plane_sums[x];
    for (int i = x * f; i < end; i++) sum += luma[i];
    p->plane_sums[x] = sum;
  }
  if (lines < f && row + 1 < p->height) return;
  uint8_t *to = p->plane + (size_t)(row / f) * (size_t)wide;
  for (int x = 0; x < wide; x++) {
    int across = (x + 1) * f < p->width ? f : p->width - x * f;
    to[x] = (uint8_t)(p->plane_sums[x] / (float)(across * lines) + 0.5f);
  }
}

/* A point on one axis of a thumbnail: the pixel before it, the one after, and its position between their centres,
   which are at .5. Points beyond the edge take the edge pixel. */
struct place {
  int before, behind;
  float part;
};

static inline struct place place_of(float at, int length) {
  float last = (float)(length - 1);
  at = at < 0.5f ? 0.0f : at - 0.5f > last ? last : at - 0.5f;
  int before = (int)at;
  return (struct place){before, before + 1 < length ? before + 1 : before, at - (float)before};
}

static inline float middle_of(int tap) { return ((float)tap + 0.5f) / (float)(TAPS * SIDE); }

/* Weights of a sample's points: a tent filter as wide as that of the full-size rule. */
static const float WEIGHTS[TAPS] = {0.125f, 0.375f, 0.375f, 0.125f};

/* The 64 x 64 samples of an axis-aligned region: rows are summed first, in vector lanes. */
static void sample_upright(const uint8_t *plane, int width, int height, const float frame[6], float *out) {
  struct place across[TAPS * SIDE];
  float line[PLANE_SIDE];
  for (int b = 0; b < TAPS * SIDE; b++) across[b] = place_of(frame[0] + frame[2] * middle_of(b), width);
  for (int i = 0; i < SIDE; i++) {
    for (int x = 0; x < width; x++) line[x] = 0.0f;
    for (int a = 0; a < TAPS; a++) {
      struct place down = place_of(frame[1] + frame[5] * middle_of(TAPS * i + a), height);
      const uint8_t *upper = plane + (size_t)down.before * (size_t)width;
      const uint8_t *lower = plane + (size_t)down.behind * (size_t)width;
      float low = WEIGHTS[a] * down.part, up = WEIGHTS[a] - low;
      for (int x = 0; x < width; x++) line[x] += up * (float)upper[x] + low * (float)lower[x];
    }
    for (int j = 0; j < SIDE; j++) {
      float sum = 0.0f;
      for (int b = 0; b < TAPS; b++) {
        struct place at = across[TAPS * j + b];
        sum += WEIGHTS[b] * (line[at.before] + (line[at.behind] - line[at.before]) * at.part);
      }
      out[i * SIDE + j] = sum;
    }
  }
}

/* The same for a rotated or skewed region. */
static void sample_turned(const uint8_t *plane, int width, int height, const float frame[6], float *out) {
  for (int i = 0; i < SIDE; i++)
    for (int j = 0; j < SIDE; j++) {
      float sum = 0.0f;
      for (int tap = 0; tap < TAPS * TAPS; tap++) {
        float v = middle_of(TAPS * i + tap / TAPS), u = middle_of(TAPS * j + tap % TAPS);
        struct place x = place_of(frame[0] + frame[2] * u + frame[4] * v, width);
        struct place y = place_of(frame[1] + frame[3] * u + frame[5] * v, height);
        const uint8_t *upper = plane + (size_t)y.before * (size_t)width;
        const uint8_t *lower = plane + (size_t)y.behind * (size_t)width;
        float top = (float)upper[x.before] + ((float)upper[x.behind] - (float)upper[x.before]) * x.part;
        float low = (float)lower[x.before] + ((float)lower[x.behind] - (float)lower[x.before]) * x.part;
        sum += WEIGHTS[tap / TAPS] * WEIGHTS[tap % TAPS] * (top + (low - top) * y.part);
      }
      out[i * SIDE + j] = sum;
    }
}

/* ---- exported functions ---- */

/* Bytes of memory needed for a picture of `width` x `height`, each 1 to 65,535. */
EXPORT size_t pdq_size(int width, int height) {
  struct pdq probe;
  /* One ALIGNMENT more, which `aligned` may skip at the start. */
  return (size_t)lay_out(&probe, 0, width, height) + ALIGNMENT;
}

/* Starts a picture in `memory` of `pdq_size` bytes. `channels`: 1 is luma, 3 RGB, 4 RGB and a byte to skip. */
EXPORT void pdq_begin(void *memory, int width, int height, int channels) {
  struct pdq *p = aligned(memory);
  float *end = (float *)lay_out(p, (uintptr_t)p, width, height);
  /* Zeros stand for the samples above and left of the picture. */
  for (float *f = p->luma; f < end; f++) *f = 0.0f;
  p->width = width;
  p->height = height;
  p->channels = channels;
  p->filled = p->tick = p->sampled = p->factor = 0;
}

/* Call after `pdq_begin` to make the thumbnail as well. Its longer side is at most `side`, up to 640, and at least half
   of that if the picture allows. */
EXPORT void pdq_keep_plane(void *memory, int side) {
  struct pdq *p = aligned(memory);
  p->factor = factor_of(p->width, p->height, side);
}

/* Call after the last row: writes the thumbnail, one byte a pixel, to `plane`, and its width and height to `size`. */
EXPORT void pdq_plane(void *memory, uint8_t *plane, int32_t size[2]) {
  const struct pdq *p = aligned(memory);
  size[0] = reduced(p->width, p->factor);
  size[1] = reduced(p->height, p->factor);
  for (int i = 0; i < size[0] * size[1]; i++) plane[i] = p->plane[i];
}

/* Weights of ITU-R BT.601, as in the reference. */
static void luma_of(const uint8_t *pixels, float *luma, int width, int channels) {
  if (channels == 1)
    for (int x = 0; x < width; x++) luma[x] = pixels[x];
  else if (channels == 3)
    for (int x = 0; x < width; x++)
      luma[x] = 0.299f * pixels[3 * x] + 0.587f * pixels[3 * x + 1] + 0.114f * pixels[3 * x + 2];
  else
    for (int x = 0; x < width; x++)
      luma[x] = 0.299f * pixels[4 * x] + 0.587f * pixels[4 * x + 1] + 0.114f * pixels[4 * x + 2];
}

/* Adds the next `rows` rows, `stride` bytes apart. The caller must not push more than `height` rows in total. */
EXPORT void pdq_push(void *memory, const uint8_t *pixels, int rows, size_t stride) {
  struct pdq *p = aligned(memory);
  for (int row = 0; row < rows; row++, pixels += stride) {
    float *luma = p->luma + (size_t)p->filled * p->pitch;
    luma_of(pixels, luma, p->width, p->channels);
    if (p->factor) reduce(p, luma, p->tick + p->filled);
    if (p->width == SIDE && p->height == SIDE)
      for (int x = 0; x < SIDE; x++) p->direct[(p->tick + p->filled) * SIDE + x] = luma[x];
    if (++p->filled == ROWS) run_group(p);
  }
}

/* Call after the last row: writes the result. */
EXPORT void pdq_finish(void *memory, struct pdq_result *result) {
  struct pdq *p = aligned(memory);
  /* No memset, because there is no C library. */
  uint8_t *bytes = (uint8_t *)result;
  for (size_t i = 0; i < sizeof *result; i++) bytes[i] = 0;
  if (p->width < SMALLEST || p->height < SMALLEST) return;
  /* The boxes lag behind the input: rows of zeros push out the last outputs. */
  while (p->sampled < SIDE) {
    for (float *f = p->luma + (size_t)p->filled * p->pitch; f < p->luma + ROWS * p->pitch; f++) *f = 0.0f;
    run_group(p);
  }
  const float *single = p->width == SIDE && p->height == SIDE ? p->direct : p->samples;
  conclude(single, p->samples, result);
}

/* PDQ of a region of a thumbnail, close to PDQ of the same region cropped from the picture itself. `frame`, in pixels
   of the thumbnail: x and y of the region's corner, of the vector along its top side, and of the one down its left. */
EXPORT void pdq_view(const uint8_t *plane, int width, int height, const float frame[6], struct pdq_result *result) {
  float samples[SIDE * SIDE];
  if (frame[3] == 0.0f && frame[4] == 0.0f)
    sample_upright(plane, width, height, frame, samples);
  else
    sample_turned(plane, width, height, frame, samples);
  conclude(samples, samples, result);
}
