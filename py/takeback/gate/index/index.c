/* Finds every code within a Hamming distance, exactly, by multi-index hashing (Norouzi, Punjani and Fleet, "Fast Exact
 * Search in Hamming Space with Multi-Index Hashing", 2012).
 *
 * A code is split into chunks. Two codes that differ in at most `distance` bits differ in at most `flips` bits of at
 * least one chunk, if the sum of (flips + 1) over the chunks is greater than `distance`. Each chunk has an array of
 * buckets. For each chunk, a look-up visits the buckets of every value within `flips` bits of its own, and compares the
 * full codes that it finds there.
 *
 * Memory latency dominates, and the layout reduces it: a bucket is one byte, its end within its block of BLOCK buckets;
 * a look-up prefetches what it is going to read before it reads any of it; codes are sorted by the first chunk, which
 * therefore needs no list of rows.
 *
 * An attacker may choose codes. If many codes share a few buckets, a look-up costs no more than a linear scan, because
 * it switches to one as soon as its buckets hold too many rows. Exact hashes are bucketed by a hash with a secret seed.
 *
 * It needs no library and allocates nothing: the caller owns the memory, which is read-only once it is built and may be
 * a mapped file.
 */
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((always_inline))

enum {
  BLOCK = 32,          /* buckets that share a base; their bytes lie in one cache line */
  BLOCK_ROWS = 255,    /* the greatest count in a byte; a block with more rows is spilled */
  MAX_CHUNKS = 64,
  MAX_MASKS = 512,     /* the widest chunk, of 26 bits, has 1 + 26 + 26 * 25 / 2 = 352 */
  TOGETHER = 2048,     /* candidates whose codes are prefetched before the first is compared */
  AT_ONCE = 64,        /* rows whose buckets are prefetched together while a table is built */
  ENTRY_WORDS = 2,     /* an entry's id: 128 bits */
  SCAN_SHARE = 12,     /* measured: a sequential comparison is 12 times as fast as a random one */
  SCAN_FLOOR = 2000,   /* candidates below which a look-up never switches to a scan */
};
static const uint32_t SPILLED = 1u << 31; /* flag in a base: the other bits are the number of the block's spill */

/* native.py repeats the layout of `chunk`, `table` and `rows`: a field that changes here must change there too. */

/* The buckets of one chunk of every code; if `hashed`, of a hash of the whole code, with `flips` 0. */
struct chunk {
  uint32_t start, bits, flips, hashed, masks;
  const uint32_t *mask; /* `masks` XOR masks of up to `flips` bits */
  uint32_t *base;       /* for each block: the position of its first row, or SPILLED and its spill */
  uint8_t *end;         /* for each bucket: the position after its last row, relative to the block's base */
  uint32_t *row;        /* the row numbers, bucket by bucket; NULL where the rows themselves are in this order */
};

/* Codes of `words` 64-bit words, each with its entry's id and a note of 16 bits. */
struct table {
  uint64_t count, seed;
  uint32_t words, distance, chunks, spills;
  uint64_t *codes, *entries;
  uint16_t *notes;
  uint32_t *spill; /* for each spilled block: the starts of its buckets, BLOCK + 1 positions */
  struct chunk names, chunk[MAX_CHUNKS];
};

/* Codes that are not in a table. Bits of `dead` mark removed rows; it is NULL if there are none. */
struct rows {
  const uint64_t *codes, *entries;
  const uint16_t *notes;
  const uint8_t *dead;
  uint64_t count;
};

struct hit {
  uint32_t asked, row, distance;
};

/* Output of hits: `found` counts all of them, and `hits` holds the first `room`. */
struct found {
  struct hit *hits;
  uint64_t room, found;
};

struct span {
  uint32_t from, to;
};

INLINE int is_dead(const uint8_t *dead, uint64_t row) { return dead && dead[row >> 3] >> (row & 7) & 1; }

INLINE uint32_t difference(const uint64_t *a, const uint64_t *b, uint32_t words) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < words; i++) bits += (uint32_t)__builtin_popcountll(a[i] ^ b[i]);
  return bits;
}

/* Hashes words with a secret seed: without it, nobody can choose words that share a bucket. */
INLINE uint64_t mixed(const uint64_t *words, uint32_t count, uint64_t seed) {
  uint64_t mix = seed;
  for (uint32_t i = 0; i < count; i++) {
    unsigned __int128 product = (unsigned __int128)(mix ^ words[i]) * (seed ^ 0x9e3779b97f4a7c15u);
    mix = (uint64_t)product ^ (uint64_t)(product >> 64) ^ 0xd1b54a32d192ed03u;
  }
  return mix;
}

INLINE uint32_t key_of(const uint64_t *code, uint32_t words, const struct chunk *c, uint64_t seed) {
  if (c->hashed) {
    uint64_t mix = mixed(code, words, seed);
    return (uint32_t)(mix >> (64 - c->bits));
  }
  uint32_t word = c->start >> 6, shift = c->start & 63;
  uint64_t bits = code[word] >> shift;
  /* `shift` is never 0 here, as a chunk has at most 26 bits: a shift by 64 would be undefined */
  if (shift + c->bits > 64) bits |= code[word + 1] << (64 - shift);
  return (uint32_t)(bits & ((1ull << c->bits) - 1));
}

INLINE struct span bucket(const struct table *t, const struct chunk *c, uint32_t key) {
  uint32_t place = key % BLOCK, base = c->base[key / BLOCK];
  if (base & SPILLED) {
    const uint32_t *begins = t->spill + (uint64_t)(base & ~SPILLED) * (BLOCK + 1) + place;
    return (struct span){begins[0], begins[1]};
  }
  return (struct span){base + (place ? c->end[key - 1] : 0), base + c->end[key]};
}

INLINE void keep(struct found *into, uint32_t asked, uint64_t row, uint32_t distance) {
  if (into->found < into->room) into->hits[into->found] = (struct hit){asked, (uint32_t)row, distance};
  into->found++;
}

/* Compares with every code in order. */
INLINE void scan(const uint64_t *codes, uint64_t count, const uint8_t *dead, const uint64_t *code, uint32_t words,
                 uint32_t asked, uint32_t distance, struct found *into) {
  for (uint64_t row = 0; row < count; row++) {
    uint32_t far = difference(code, codes + row * words, words);
    if (far <= distance && !is_dead(dead, row)) keep(into, asked, row, far);
  }
}

/* Whether an earlier chunk leads to this code too, so that its hit is recorded already. */
INLINE int is_kept(const struct table *t, const uint64_t *code, const uint64_t *other, uint32_t words, uint32_t chunk) {
  for (uint32_t i = 0; i < chunk; i++) {
    const struct chunk *c = &t->chunk[i];
    uint32_t changed = key_of(code, words, c, t->seed) ^ key_of(other, words, c, t->seed);
    if ((uint32_t)__builtin_popcount(changed) <= c->flips) return 1;
  }
  return 0;
}

/* The parameters of one look-up. */
struct search {
  const struct table *table;
  const uint8_t *dead;
  const uint64_t *code;
  uint32_t asked, distance;
  struct found *into;
};

INLINE void compare(const struct search *s, uint32_t words, uint32_t chunk, const uint32_t *rows, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    const uint64_t *other = s->table->codes + (uint64_t)rows[i] * words;
    uint32_t far = difference(s->code, other, words);
    if (far <= s->distance && !is_dead(s->dead, rows[i]) && !is_kept(s->table, s->code, other, words, chunk))
      keep(s->into, s->asked, rows[i], far);
  }
}

/* Compares with all rows in the spans. */
INLINE void visit(const struct search *s, uint32_t words, uint32_t chunk, const struct span *spans, uint32_t count) {
  uint32_t rows[TOGETHER], waiting = 0;
  const uint32_t *row = s->table->chunk[chunk].row;
  for (uint32_t i = 0; i < count; i++)
    for (uint32_t at = spans[i].from; at < spans[i].to; at++) {
      uint32_t this = row ? row[at] : at;
      __builtin_prefetch(s->table->codes + (uint64_t)this * words);
      rows[waiting++] = this;
      if (waiting == TOGETHER) {
        compare(s, words, chunk, rows, waiting);
        waiting = 0;
      }
    }
  compare(s, words, chunk, rows, waiting);
}

INLINE void ask_for_buckets(const struct chunk *c, uint32_t key) {
  for (uint32_t i = 0; i < c->masks; i++) __builtin_prefetch(c->end + (key ^ c->mask[i]));
}

/* Writes the spans of the chunk's buckets that are not empty, and returns how many rows they hold. */
INLINE uint64_t open_buckets(const struct table *t, const struct chunk *c, uint32_t key, struct span *spans,
                             uint32_t *count) {
  uint32_t keys[MAX_MASKS], full = 0;
  uint64_t rows = 0;
  for (uint32_t i = 0; i < c->masks; i++) {
    uint32_t other = key ^ c->mask[i];
    uint8_t before = other % BLOCK ? c->end[other - 1] : 0;
    keys[full] = other;
    full += c->end[other] != before;
  }
  for (uint32_t i = 0; i < full; i++) __builtin_prefetch(c->base + keys[i] / BLOCK);
  for (uint32_t i = 0; i < full; i++) {
    spans[i] = bucket(t, c, keys[i]);
    rows += spans[i].to - spans[i].from;
    if (c->row) __builtin_prefetch(c->row + spans[i].from);
  }
  *count = full;
  return rows;
}

INLINE void search(const struct search *s, uint32_t words) {
  const struct table *t = s->table;
  const struct chunk *c = t->chunk;
  uint64_t before = s->into->found, rows = 0, most = t->count / SCAN_SHARE + SCAN_FLOOR;
  uint32_t key = key_of(s->code, words, c, t->seed);
  ask_for_buckets(c, key);
  for (uint32_t chunk = 0; chunk < t->chunks; chunk++, c++) {
    struct span spans[MAX_MASKS];
    uint32_t count, next = 0;
    rows += open_buckets(t, c, key, spans, &count);
    if (rows > most) {
      /* the scan finds these hits again */
      s->into->found = before;
      scan(t->codes, t->count, s->dead, s->code, words, s->asked, s->distance, s->into);
      return;
    }
    if (chunk + 1 < t->chunks) {
      next = key_of(s->code, words, c + 1, t->seed);
      /* the buckets of the next chunk arrive while the codes of this one are compared */
      ask_for_buckets(c + 1, next);
    }
    visit(s, words, chunk, spans, count);
    key = next;
  }
}

/* Looks up `asking` codes. A hit is a row within `distance` (at most the table's) that is not `dead`. Returns the
   number of hits, of which the first `room` are written to `hits`. */
EXPORT uint64_t index_query(const struct table *t, const uint8_t *dead, const uint64_t *codes, uint32_t asking,
                            uint32_t distance, struct hit *hits, uint64_t room) {
  struct found into = {hits, room, 0};
  for (uint32_t i = 0; i < asking; i++) {
    struct search s = {t, dead, codes + (uint64_t)i * t->words, i, distance, &into};
    /* constants, so that each copy that is inlined compares a fixed number of words */
    if (t->words == 4) search(&s, 4);
    else if (t->words == 2) search(&s, 2);
    else search(&s, 1);
  }
  return into.found;
}

/* The same for rows that are not in a table. */
EXPORT uint64_t index_scan(const struct rows *rows, uint32_t words, const uint64_t *codes, uint32_t asking,
                           uint32_t distance, struct hit *hits, uint64_t room) {
  struct found into = {hits, room, 0};
  for (uint32_t i = 0; i < asking; i++) {
    const uint64_t *code = codes + (uint64_t)i * words;
    if (words == 4) scan(rows->codes, rows->count, rows->dead, code, 4, i, distance, &into);
    else if (words == 2) scan(rows->codes, rows->count, rows->dead, code, 2, i, distance, &into);
    else scan(rows->codes, rows->count, rows->dead, code, 1, i, distance, &into);
  }
  return into.found;
}

/* Finds the rows of an entry, dead ones included. Returns their number, of which the first `room` are written. */
EXPORT uint64_t index_find(const struct table *t, const uint64_t *entry, uint32_t *rows, uint64_t room) {
  uint64_t found = 0;
  struct span all = bucket(t, &t->names, key_of(entry, ENTRY_WORDS, &t->names, t->seed));
  for (uint32_t at = all.from; at < all.to; at++) {
    const uint64_t *other = t->entries + (uint64_t)t->names.row[at] * ENTRY_WORDS;
    if (other[0] != entry[0] || other[1] != entry[1]) continue;
    if (found < room) rows[found] = t->names.row[at];
    found++;
  }
  return found;
}

/* Turns the row counts of buckets in `places` into buckets, and leaves in `places` the start of each. */
static void lay_out(struct table *t, struct chunk *c, uint32_t *places) {
  uint32_t total = 0;
  for (uint32_t first = 0; first < 1u << c->bits; first += BLOCK) {
    uint32_t base = total;
    for (uint32_t i = 0; i < BLOCK; i++) {
      uint32_t rows = places[first + i];
      places[first + i] = total;
      total += rows;
    }
    int spilled = total - base > BLOCK_ROWS;
    uint32_t *begins = t->spill + (uint64_t)t->spills * (BLOCK + 1);
    for (uint32_t i = 0; i < BLOCK; i++) {
      uint32_t end = i + 1 < BLOCK ? places[first + i + 1] : total;
      c->end[first + i] = (uint8_t)(spilled ? i + 1 : end - base); /* if spilled, no bucket must look empty */
      if (spilled) begins[i] = places[first + i];
    }
    if (spilled) begins[BLOCK] = total;
    c->base[first / BLOCK] = spilled ? SPILLED | t->spills++ : base;
  }
}

static void clear(const struct chunk *c, uint32_t *places) {
  for (uint64_t i = 0; i < 1ull << c->bits; i++) places[i] = 0;
}

/* Copies the rows of all sources that are not dead, sorted by the first chunk. */
INLINE void gather(struct table *t, const struct rows *sources, uint32_t many, uint32_t *places, uint32_t words) {
  struct chunk *c = t->chunk;
  clear(c, places);
  for (uint32_t s = 0; s < many; s++)
    for (uint64_t row = 0; row < sources[s].count; row++)
      if (!is_dead(sources[s].dead, row)) places[key_of(sources[s].codes + row * words, words, c, t->seed)]++;
  lay_out(t, c, places);
  for (uint32_t s = 0; s < many; s++)
    for (uint64_t row = 0; row < sources[s].count; row++) {
      if (is_dead(sources[s].dead, row)) continue;
      const uint64_t *code = sources[s].codes + row * words, *entry = sources[s].entries + row * ENTRY_WORDS;
      uint64_t place = places[key_of(code, words, c, t->seed)]++;
      for (uint32_t i = 0; i < words; i++) t->codes[place * words + i] = code[i];
      for (uint32_t i = 0; i < ENTRY_WORDS; i++) t->entries[place * ENTRY_WORDS + i] = entry[i];
      t->notes[place] = sources[s].notes[row];
    }
}

/* Computes the keys of the next rows, at most AT_ONCE, and prefetches their places. */
INLINE uint32_t next_keys(const struct table *t, const struct chunk *c, const uint64_t *values, uint32_t words,
                          uint64_t row, const uint32_t *places, uint32_t *keys) {
  uint32_t count = t->count - row < AT_ONCE ? (uint32_t)(t->count - row) : AT_ONCE;
  for (uint32_t i = 0; i < count; i++) {
    keys[i] = key_of(values + (row + i) * words, words, c, t->seed);
    __builtin_prefetch(places + keys[i], 1);
  }
  return count;
}

/* Fills the row list of `c`, whose keys are computed from `values`. */
INLINE void list_rows(struct table *t, struct chunk *c, const uint64_t *values, uint32_t words, uint32_t *places) {
  uint32_t keys[AT_ONCE], count;
  clear(c, places);
  for (uint64_t row = 0; row < t->count; row += count) {
    count = next_keys(t, c, values, words, row, places, keys);
    for (uint32_t i = 0; i < count; i++) places[keys[i]]++;
  }
  lay_out(t, c, places);
  for (uint64_t row = 0; row < t->count; row += count) {
    count = next_keys(t, c, values, words, row, places, keys);
    for (uint32_t i = 0; i < count; i++) __builtin_prefetch(c->row + places[keys[i]], 1);
    for (uint32_t i = 0; i < count; i++) c->row[places[keys[i]]++] = (uint32_t)(row + i);
  }
}

INLINE void build(struct table *t, const struct rows *sources, uint32_t many, uint32_t *places, uint32_t words) {
  /* first, because the lists of the other chunks and of the names hold the row numbers that this gives */
  gather(t, sources, many, places, words);
  for (uint32_t chunk = 1; chunk < t->chunks; chunk++) list_rows(t, &t->chunk[chunk], t->codes, words, places);
  list_rows(t, &t->names, t->entries, ENTRY_WORDS, places);
}

/* Fills a table from sources with `count` rows that are not dead. `places` is scratch space with one element for each
   bucket of the widest chunk. Returns the number of spilled blocks: at most one for every 256 rows of a chunk. */
EXPORT uint64_t index_build(struct table *t, const struct rows *sources, uint32_t many, uint32_t *places) {
  t->spills = 0;
  if (t->words == 4) build(t, sources, many, places, 4);
  else if (t->words == 2) build(t, sources, many, places, 2);
  else build(t, sources, many, places, 1);
  return t->spills;
}

/* Detects damage, not forgery. Eight independent lanes hide the latency of the multiplication. */
EXPORT uint64_t index_checksum(const uint64_t *words, uint64_t count) {
  uint64_t lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, all = count;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t mix = (lanes[i & 7] ^ words[i]) * 0x9e3779b97f4a7c15u;
    lanes[i & 7] = mix << 29 | mix >> 35;
  }
  for (int i = 0; i < 8; i++) all = (all ^ lanes[i] ^ lanes[i] >> 32) * 0xd1b54a32d192ed03u;
  return all ^ all >> 29;
}

/* Whether this processor has the POPCNT instruction, which this file is compiled for. */
EXPORT int index_runs_here(void) {
#if defined(__x86_64__)
  uint32_t a = 1, b, c, d;
  /* leaf 1: bit 23 of ECX is POPCNT */
  __asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  return c >> 23 & 1;
#else
  return 1;
#endif
}
