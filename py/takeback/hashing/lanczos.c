/* Resizes rows to 32 columns, the first half of the 32 x 32 resize that imagehash asks of Pillow: Lanczos with three
 * lobes, bit for bit what Pillow computes, several times as fast. Pillow then resizes the 32 columns to 32 rows.
 *
 * Pillow's weights are integers with 22 fractional bits. Here each is split into two 16-bit numbers, its high part and
 * its low byte, whose products with pixels are summed in vectors: the same integers, so the same sum.
 */
#include <stddef.h>
#include <stdint.h>

#pragma STDC FP_CONTRACT OFF

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

enum {
  COLUMNS = 32,
  LOBES = 3,
  PRECISION = 22, /* fractional bits of a weight */
  LOW = 8,        /* bits of a weight's low part */
  GROUP = 8,      /* the number of weights of a column is a multiple of this, so that vectors have no remainder */
  TERMS = 10,     /* terms of the sine series: up to a quarter turn, further ones do not change a double */
};

static const double PI = 3.141592653589793;

/* The pixels that make up each column; the weights and one row of input follow the struct. */
struct lanczos {
  int32_t width, taps;
  int32_t first[COLUMNS]; /* the leftmost pixel of each column */
  int16_t behind[];       /* for each column `taps` high parts and as many low parts; then the row, and zeros */
};

/* The weights of a column; with `column` = COLUMNS, the row that follows them. */
static int16_t *weights_of(struct lanczos *p, int column) { return p->behind + 2 * column * p->taps; }

static double scale_of(int width) { return (double)width / COLUMNS; }

/* The stretch of the filter: 1 for a picture that becomes wider. */
static double stretch_of(int width) { return width > COLUMNS ? scale_of(width) : 1; }

static size_t taps_of(int width) {
  size_t across = (size_t)(2 * LOBES * stretch_of(width)) + 2;
  return (across + GROUP - 1) / GROUP * GROUP;
}

/* sin(pi x) for small x: the series around the nearest integer. */
static double sine(double x) {
  int whole = (int)(x < 0 ? x - 0.5 : x + 0.5);
  double angle = PI * (x - whole), sum = 1;
  for (int n = TERMS; n > 0; n--) sum = 1 - angle * angle / (2 * n * (2 * n + 1)) * sum;
  return whole % 2 ? -angle * sum : angle * sum;
}

static double sinc(double x) { return x == 0 ? 1 : sine(x) / (PI * x); }

static double filter(double x) { return x < -LOBES || x >= LOBES ? 0 : sinc(x) * sinc(x / LOBES); }

/* Computes the weights of one column. */
static void weigh(struct lanczos *p, int column) {
  double stretch = stretch_of(p->width), middle = (column + 0.5) * scale_of(p->width), sum = 0;
  int from = (int)(middle - LOBES * stretch + 0.5), to = (int)(middle + LOBES * stretch + 0.5);
  if (from < 0) from = 0;
  if (to > p->width) to = p->width;
  for (int x = from; x < to; x++) sum += filter((x - middle + 0.5) / stretch);
  int16_t *high = weights_of(p, column), *low = high + p->taps;
  for (int k = 0; k < p->taps; k++) {
    double share = from + k < to ? filter((from + k - middle + 0.5) / stretch) / sum : 0;
    /* Halves are rounded away from zero, as in Pillow. */
    int32_t weight = (int32_t)(share * (1 << PRECISION) + (share < 0 ? -0.5 : 0.5));
    high[k] = (int16_t)(weight >> LOW);
    low[k] = (int16_t)(weight & ((1 << LOW) - 1));
  }
  p->first[column] = from;
}

/* ---- exported functions ---- */

/* Bytes of memory needed for pictures of `width` pixels, 1 to 65,535. */
EXPORT size_t lanczos_size(int width) {
  size_t taps = taps_of(width);
  return sizeof(struct lanczos) + (2 * COLUMNS * taps + (size_t)width + taps) * sizeof(int16_t);
}

/* Computes all weights, in `memory` of `lanczos_size` bytes. */
EXPORT void lanczos_begin(void *memory, int width) {
  struct lanczos *p = memory;
  p->width = width;
  p->taps = (int32_t)taps_of(width);
  for (int column = 0; column < COLUMNS; column++) weigh(p, column);
  int16_t *row = weights_of(p, COLUMNS);
  /* Columns have a whole number of GROUPs of weights, so the last ones read past the row. */
  for (int k = 0; k < p->taps; k++) row[width + k] = 0;
}

/* Resizes each of `rows` rows of luma to 32 pixels, written to `out`. */
EXPORT void lanczos_rows(void *memory, const uint8_t *pixels, int rows, uint8_t *out) {
  struct lanczos *p = memory;
  int16_t *row = weights_of(p, COLUMNS);
  for (int y = 0; y < rows; y++, pixels += p->width) {
    for (int x = 0; x < p->width; x++) row[x] = pixels[x];
    for (int column = 0; column < COLUMNS; column++) {
      const int16_t *from = row + p->first[column], *high = weights_of(p, column), *low = high + p->taps;
      int32_t above = 0, below = 0;
      for (int k = 0; k < p->taps; k++) {
        above += from[k] * high[k];
        below += from[k] * low[k];
      }
      /* A product, because shifting a negative number to the left is undefined in C. */
      int32_t sum = (above * (1 << LOW) + below + (1 << (PRECISION - 1))) >> PRECISION;
      *out++ = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
  }
}
