/* Every code within a Hamming distance, exactly: multi-index hashing (Norouzi, Punjani, Fleet, "Fast Exact Search in
 * Hamming Space with Multi-Index Hashing", 2012).
 *
 * A code is cut into chunks. Two codes that differ in at most `distance` bits differ in at most `flips` bits of at least
 * one chunk, if the sum of (flips + 1) over the chunks is greater than `distance`. So for each chunk there is a table of
 * buckets; a look-up goes through the buckets of its own chunk with every change of up to `flips` bits, and compares
 * with the whole codes that it finds there.
 *
 * The time goes into waiting for memory, so that is what the layout spares: a bucket is one byte, the place where it ends
 * within its block of BLOCK buckets; a look-up asks for all that it is going to read before it reads any of it; codes lie
 * in the order of the first chunk, which needs no list of rows.
 *
 * Codes may be chosen by an enemy. Codes that crowd into few buckets cost a look-up no more than comparing with every
 * code once, which it does as soon as the buckets promise more than that; exact hashes are bucketed by a secret.
 *
 * No library, no allocation: the memory is the caller's, read-only once it is built, and may be a mapped file.
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
  BLOCK = 32,          /* buckets that share a base; their bytes lie in one line of the cache */
  BLOCK_ROWS = 255,    /* what a byte can count; a block of more rows is spilled */
  MAX_CHUNKS = 64,
  MAX_MASKS = 512,     /* 1 + 26 + 26 * 25 / 2 = 352 changes of a chunk of 26 bits, the widest */
  TOGETHER = 2048,     /* candidates whose codes are asked for before the first is compared */
  AT_ONCE = 64,        /* rows whose buckets are asked for together while a table is built */
  ENTRY_WORDS = 2,     /* an entry's id: 128 bits */
  SCAN_SHARE = 12,     /* comparing in order is so many times as quick as comparing here and there */
  SCAN_FLOOR = 2000,   /* candidates that are never too many */
};
static const uint32_t SPILLED = 1u << 31; /* in a base: the rest is the number of the block's spill */

/* The buckets of one chunk of every code; or, of `flips` 0 and `hashed`, of the whole. */
struct chunk {
  uint32_t start, bits, flips, hashed, masks;
  const uint32_t *mask; /* `masks` changes of the chunk, one of up to `flips` bits each */
  uint32_t *base;       /* of each block: the place of its first row, or its spill */
  uint8_t *end;         /* of each bucket: the place after its last row, counted from the block's base */
  uint32_t *row;        /* the rows, bucket by bucket; NULL where the rows themselves lie in this order */
};

/* Codes of `words` 64-bit words; with each its entry's id and a note of 16 bits. */
struct table {
  uint64_t count, seed;
  uint32_t words, distance, chunks, spills;
  uint64_t *codes, *entries;
  uint16_t *notes;
  uint32_t *spill; /* of each spilled block: where its buckets begin, BLOCK + 1 places */
  struct chunk names, chunk[MAX_CHUNKS];
};

/* Codes that are not in a table; a bit of `dead` is set for each that is gone, NULL if none is. */
struct rows {
  const uint64_t *codes, *entries;
  const uint16_t *notes;
  const uint8_t *dead;
  uint64_t count;
};

struct hit {
  uint32_t asked, row, distance;
};

/* Where hits go: `found` of them, of which the first `room` are kept. */
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

/* Nobody who does not know the seed can choose words that meet in a bucket. */
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

/* Compares with every code. */
INLINE void scan(const uint64_t *codes, uint64_t count, const uint8_t *dead, const uint64_t *code, uint32_t words,
                 uint32_t asked, uint32_t distance, struct found *into) {
  for (uint64_t row = 0; row < count; row++) {
    uint32_t far = difference(code, codes + row * words, words);
    if (far <= distance && !is_dead(dead, row)) keep(into, asked, row, far);
  }
}

/* Whether an earlier chunk leads to this code as well, which then is kept already. */
INLINE int is_kept(const struct table *t, const uint64_t *code, const uint64_t *other, uint32_t words, uint32_t chunk) {
  for (uint32_t i = 0; i < chunk; i++) {
    const struct chunk *c = &t->chunk[i];
    uint32_t changed = key_of(code, words, c, t->seed) ^ key_of(other, words, c, t->seed);
    if ((uint32_t)__builtin_popcount(changed) <= c->flips) return 1;
  }
  return 0;
}

/* One look-up under way. */
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

/* Compares with all that lies in the spans. */
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

/* The spans of the chunk's buckets that are not empty; gives how many rows lie in them. */
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
      s->into->found = before;
      scan(t->codes, t->count, s->dead, s->code, words, s->asked, s->distance, s->into);
      return;
    }
    if (chunk + 1 < t->chunks) {
      next = key_of(s->code, words, c + 1, t->seed);
      ask_for_buckets(c + 1, next);
    }
    visit(s, words, chunk, spans, count);
    key = next;
  }
}

/* Looks up `asking` codes; a hit is a row that is not `dead`, within `distance`, which is at most the table's. Gives the
   number of hits, of which `room` fit into `hits`. */
EXPORT uint64_t index_query(const struct table *t, const uint8_t *dead, const uint64_t *codes, uint32_t asking,
                            uint32_t distance, struct hit *hits, uint64_t room) {
  struct found into = {hits, room, 0};
  for (uint32_t i = 0; i < asking; i++) {
    struct search s = {t, dead, codes + (uint64_t)i * t->words, i, distance, &into};
    if (t->words == 4) search(&s, 4);
    else if (t->words == 2) search(&s, 2);
    else search(&s, 1);
  }
  return into.found;
}

/* The same among `count` codes that are in no table. */
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

/* The rows of an entry, dead or not. Gives their number, of which `room` fit into `rows`. */
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

/* Makes the buckets from the number of rows in each, and leaves in `places` where each begins. */
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
      c->end[first + i] = (uint8_t)(spilled ? i + 1 : end - base); /* spilled: no bucket seems empty */
      if (spilled) begins[i] = places[first + i];
    }
    if (spilled) begins[BLOCK] = total;
    c->base[first / BLOCK] = spilled ? SPILLED | t->spills++ : base;
  }
}

static void clear(const struct chunk *c, uint32_t *places) {
  for (uint64_t i = 0; i < 1ull << c->bits; i++) places[i] = 0;
}

/* Brings the rows of all sources that are not dead into the order of the first chunk. */
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

/* The keys of the next rows, up to AT_ONCE, whose places are asked for before they are needed. */
INLINE uint32_t next_keys(const struct table *t, const struct chunk *c, const uint64_t *values, uint32_t words,
                          uint64_t row, const uint32_t *places, uint32_t *keys) {
  uint32_t count = t->count - row < AT_ONCE ? (uint32_t)(t->count - row) : AT_ONCE;
  for (uint32_t i = 0; i < count; i++) {
    keys[i] = key_of(values + (row + i) * words, words, c, t->seed);
    __builtin_prefetch(places + keys[i], 1);
  }
  return count;
}

/* Lists the table's rows by the buckets of `c`, whose keys are made of `values`. */
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
  gather(t, sources, many, places, words);
  for (uint32_t chunk = 1; chunk < t->chunks; chunk++) list_rows(t, &t->chunk[chunk], t->codes, words, places);
  list_rows(t, &t->names, t->entries, ENTRY_WORDS, places);
}

/* Fills a table from sources that hold `count` rows which are not dead. `places` is scratch, of the widest chunk's
   number of buckets. Gives the number of spilled blocks, of which there is one for 256 rows of a chunk at most. */
EXPORT uint64_t index_build(struct table *t, const struct rows *sources, uint32_t many, uint32_t *places) {
  t->spills = 0;
  if (t->words == 4) build(t, sources, many, places, 4);
  else if (t->words == 2) build(t, sources, many, places, 2);
  else build(t, sources, many, places, 1);
  return t->spills;
}

/* Finds damage, not forgery; eight lanes, because a multiplication takes its time. */
EXPORT uint64_t index_checksum(const uint64_t *words, uint64_t count) {
  uint64_t lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, all = count;
  for (uint64_t i = 0; i < count; i++) {
    uint64_t mix = (lanes[i & 7] ^ words[i]) * 0x9e3779b97f4a7c15u;
    lanes[i & 7] = mix << 29 | mix >> 35;
  }
  for (int i = 0; i < 8; i++) all = (all ^ lanes[i] ^ lanes[i] >> 32) * 0xd1b54a32d192ed03u;
  return all ^ all >> 29;
}

/* Whether this processor counts bits in one instruction, as this file is compiled for. */
EXPORT int index_runs_here(void) {
#if defined(__x86_64__)
  uint32_t a = 1, b, c, d;
  __asm__("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  return c >> 23 & 1;
#else
  return 1;
#endif
}
