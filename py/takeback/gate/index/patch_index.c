/* Finds every 64-bit code of a patch within a few bits, exactly, by the multi-index hashing that index.c explains, with
 * another layout: an upload asks hundreds of such codes at once, and a list has sixteen for each picture.
 *
 * Every chunk holds all codes, bucket by bucket, so that a bucket is read in one piece: of each code the 48 bits or
 * fewer that the bucket does not determine, in one array, and its picture and frame in another, which is read for hits
 * only.
 *
 * An attacker may choose codes. Which bits of a code make up a chunk is therefore dealt by a secret seed: only codes
 * that are alike in nearly all bits share a bucket, and a code that is near too many different pictures ends its
 * look-up early. A look-up whose buckets hold more rows than the table compares with each row once instead.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((always_inline))

enum {
  MAX_CHUNKS = 4,
  MAX_MASKS = 384,     /* the widest chunk, of 26 bits, has 1 + 26 + 26 * 25 / 2 = 352 */
  REST_BYTES = 6,      /* a chunk has at least 16 bits */
  FRAME_BITS = 4,      /* a reference is a picture's number and, in the lowest bits, its frame */
  AT_ONCE = 64,        /* codes whose buckets are prefetched together while a table is built */
  LINES = 2,           /* cache lines of a bucket that are prefetched; the processor itself fetches what follows them */
  SEEN_BITS = 12,      /* slots for the pictures that one code has hit: four for each of MOST_PICTURES */
  MOST_PICTURES = 1024, /* a code that is near more pictures has no hits */
};
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "read_rest reads 6 of 8 bytes");

/* patches.py repeats the layout of `chunk`, `table`, `query` and `hit`: a field that changes here must change there. */

/* Bits `start` to `start + bits` of every code, after the deal. */
struct chunk {
  uint32_t start, bits, flips, masks;
  const uint32_t *mask; /* `masks` XOR masks of up to `flips` bits */
  uint32_t *first;      /* for each bucket: the position of its first code; one more at the end */
  uint8_t *rest;        /* at each position: the other bits of the code, and 2 bytes at the end that may be read */
  uint32_t *ref;        /* at each position: the code's picture and frame */
};

struct table {
  uint64_t count, seed, pictures;
  const uint64_t *entries; /* two words for each picture */
  const uint32_t *order;   /* the pictures in order of their entry's first word */
  uint32_t chunks, unused;
  struct chunk chunk[MAX_CHUNKS];
};

/* `asking` codes to look up within `distance` bits. */
struct query {
  const uint64_t *codes;
  const uint8_t *dead; /* bits that mark removed pictures; NULL if there are none */
  uint32_t *pictures;  /* result: for each code how many different pictures are near it, at most MOST_PICTURES + 1 */
  uint32_t asking, distance;
};

struct hit {
  uint64_t code; /* the code that was found */
  uint32_t asked, ref, distance, unused;
};

/* Output of hits: `found` counts all of them, and `hits` holds the first `room`. */
struct found {
  struct hit *hits;
  uint64_t room, found;
};

/* For each byte of a code and each of its values: the bits after the deal. */
struct deal {
  uint64_t bits[8][256];
};

INLINE uint64_t next_random(uint64_t *state) { /* splitmix64 */
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/* Makes the deal of the seed, or its inverse. */
static void make_deal(struct deal *deal, uint64_t seed, int inverse) {
  uint8_t place[64];
  for (int i = 0; i < 64; i++) place[i] = (uint8_t)i;
  for (int i = 63; i > 0; i--) {
    uint64_t j = next_random(&seed) % (uint64_t)(i + 1);
    uint8_t held = place[i];
    place[i] = place[j];
    place[j] = held;
  }
  memset(deal, 0, sizeof *deal);
  for (int i = 0; i < 64; i++) {
    int from = inverse ? place[i] : i, to = inverse ? i : place[i];
    for (int value = 0; value < 256; value++)
      if (value >> (from & 7) & 1) deal->bits[from >> 3][value] |= 1ull << to;
  }
}

INLINE uint64_t dealt(const struct deal *deal, uint64_t code) {
  uint64_t found = 0;
  for (int i = 0; i < 8; i++) found |= deal->bits[i][code >> (8 * i) & 255];
  return found;
}

INLINE uint64_t rotated(uint64_t code, uint32_t by) { return by ? code >> by | code << (64 - by) : code; }
INLINE uint32_t key_of(uint64_t code, const struct chunk *c) {
  return (uint32_t)(rotated(code, c->start) & ((1ull << c->bits) - 1));
}
INLINE uint64_t rest_of(uint64_t code, const struct chunk *c) { return rotated(code, c->start) >> c->bits; }
INLINE uint64_t whole(uint64_t rest, uint32_t key, const struct chunk *c) {
  return rotated(rest << c->bits | key, (64 - c->start) & 63);
}

/* Reads the 48 bits at a position into the upper bits; what follows them is shifted out. */
INLINE uint64_t read_rest(const uint8_t *rest, uint64_t at) {
  uint64_t found;
  memcpy(&found, rest + at * REST_BYTES, 8);
  return found << 16;
}

INLINE int is_dead(const uint8_t *dead, uint64_t picture) { return dead && dead[picture >> 3] >> (picture & 7) & 1; }
INLINE uint32_t ones(uint64_t bits) { return (uint32_t)__builtin_popcountll(bits); }

/* The pictures that the present code has hit, in open addressing: a slot counts if it has the code's stamp. */
struct seen {
  uint64_t slot[1 << SEEN_BITS];
};

/* Notes a picture, and returns whether it is new for this code. */
INLINE int is_new(struct seen *seen, uint32_t asked, uint32_t picture) {
  uint64_t held = (uint64_t)(asked + 1) << 32 | picture;
  uint32_t at = (picture * 0x9e3779b1u) >> (32 - SEEN_BITS);
  for (;; at = (at + 1) & ((1 << SEEN_BITS) - 1)) {
    if (seen->slot[at] == held) return 0;
    if (seen->slot[at] >> 32 != asked + 1) break;
  }
  seen->slot[at] = held;
  return 1;
}

/* The state of one look-up. */
struct search {
  const struct query *query;
  struct seen *seen;
  struct found *into;
  uint32_t asked, pictures;
};

/* Records a hit, and returns whether the code is near too many pictures. */
INLINE int keep(struct search *s, uint64_t code, uint32_t ref, uint32_t distance) {
  if (is_dead(s->query->dead, ref >> FRAME_BITS)) return 0;
  s->pictures += (uint32_t)is_new(s->seen, s->asked, ref >> FRAME_BITS);
  if (s->pictures > MOST_PICTURES) return 1;
  if (s->into->found < s->into->room) s->into->hits[s->into->found] = (struct hit){code, s->asked, ref, distance, 0};
  s->into->found++;
  return 0;
}

/* Whether an earlier chunk leads to a code that differs by these bits, so that its hit is recorded already. */
INLINE int is_kept(const struct table *t, uint64_t difference, uint32_t chunk) {
  for (uint32_t i = 0; i < chunk; i++)
    if (ones(key_of(difference, &t->chunk[i])) <= t->chunk[i].flips) return 1;
  return 0;
}

struct span {
  uint32_t from, to;
};

/* One chunk's part of a look-up: its key, and the bucket of each mask. */
struct opened {
  uint32_t key;
  struct span spans[MAX_MASKS];
};

INLINE void ask_for_buckets(const struct table *t, uint64_t code) {
  for (uint32_t i = 0; i < t->chunks; i++) {
    const struct chunk *c = &t->chunk[i];
    uint32_t key = key_of(code, c);
    for (uint32_t m = 0; m < c->masks; m++) __builtin_prefetch(c->first + (key ^ c->mask[m]));
  }
}

/* Finds the chunk's buckets, prefetches their codes, and returns how many they hold. */
INLINE uint64_t open_buckets(const struct chunk *c, uint64_t code, struct opened *o) {
  uint64_t rows = 0;
  o->key = key_of(code, c);
  for (uint32_t m = 0; m < c->masks; m++) {
    const uint32_t *first = c->first + (o->key ^ c->mask[m]);
    o->spans[m] = (struct span){first[0], first[1]};
    rows += first[1] - first[0];
    const uint8_t *rest = c->rest + (uint64_t)first[0] * REST_BYTES;
    for (int line = 0; line < LINES; line++) __builtin_prefetch(rest + 64 * line);
  }
  return rows;
}

/* Compares with the codes in one bucket, and returns whether the code is near too many pictures. */
INLINE int compare(struct search *s, const struct table *t, uint32_t chunk, uint64_t code, uint32_t key,
                   struct span span, uint32_t left, int again) {
  const struct chunk *c = &t->chunk[chunk];
  uint64_t rest = rest_of(code, c) << 16;
  for (uint64_t at = span.from; at < span.to; at++) {
    uint64_t changed = read_rest(c->rest, at) ^ rest;
    if (__builtin_expect(ones(changed) > left, 1)) continue;
    uint64_t other = whole((changed ^ rest) >> 16, key, c);
    if (again && is_kept(t, code ^ other, chunk)) continue;
    if (keep(s, other, c->ref[at], ones(code ^ other))) return 1;
  }
  return 0;
}

/* Compares with every code of the table once. */
static int scan(struct search *s, const struct table *t, uint64_t code) {
  const struct chunk *c = t->chunk;
  for (uint64_t key = 0; key < 1ull << c->bits; key++) {
    uint32_t flipped = ones(key_of(code, c) ^ key), distance = s->query->distance;
    struct span span = {c->first[key], c->first[key + 1]};
    if (flipped <= distance && compare(s, t, 0, code, (uint32_t)key, span, distance - flipped, 0)) return 1;
  }
  return 0;
}

static int search(struct search *s, const struct table *t, uint64_t code, struct opened *opened) {
  uint64_t rows = 0;
  for (uint32_t i = 0; i < t->chunks; i++) rows += open_buckets(&t->chunk[i], code, &opened[i]);
  if (rows > t->count) return scan(s, t, code);
  for (uint32_t i = 0; i < t->chunks; i++)
    for (uint32_t m = 0; m < t->chunk[i].masks; m++) {
      uint32_t mask = t->chunk[i].mask[m], flipped = ones(mask);
      if (flipped > s->query->distance) continue;
      if (compare(s, t, i, code, opened[i].key ^ mask, opened[i].spans[m], s->query->distance - flipped, i > 0))
        return 1;
    }
  return 0;
}

/* Leaves out the buckets that a look-up within fewer bits than the table was made for need not open. */
static void narrow(struct table *t, uint32_t distance, uint32_t masks[MAX_CHUNKS][MAX_MASKS]) {
  uint32_t reach = 0, widest = 0;
  for (uint32_t i = 0; i < t->chunks; i++) {
    reach += t->chunk[i].flips + 1;
    if (t->chunk[i].flips > widest) widest = t->chunk[i].flips;
  }
  for (; widest > 0; widest--)
    for (uint32_t i = t->chunks; i-- > 0 && reach > distance + 1;)
      if (t->chunk[i].flips == widest) t->chunk[i].flips--, reach--;
  for (uint32_t i = 0; i < t->chunks; i++) {
    struct chunk *c = &t->chunk[i];
    uint32_t kept = 0;
    for (uint32_t m = 0; m < c->masks; m++)
      if (ones(c->mask[m]) <= c->flips) masks[i][kept++] = c->mask[m];
    c->mask = masks[i];
    c->masks = kept;
  }
}

/* Undoes the hits of a code that is near too many pictures. */
INLINE void finish(struct search *s, uint64_t before, int is_too_many) {
  if (is_too_many) s->into->found = before;
  s->query->pictures[s->asked] = s->pictures;
}

/* Looks the codes up, and returns the number of hits, of which the first `room` are written to `hits`. */
EXPORT uint64_t patch_query(const struct table *t, const struct query *query, struct hit *hits, uint64_t room) {
  struct found into = {hits, room, 0};
  struct deal deal, inverse;
  struct seen seen = {{0}};
  struct opened opened[MAX_CHUNKS];
  uint32_t masks[MAX_CHUNKS][MAX_MASKS];
  struct table near = *t;
  narrow(&near, query->distance, masks);
  make_deal(&deal, t->seed, 0);
  for (uint32_t i = 0; i < query->asking; i++) {
    uint64_t before = into.found;
    struct search s = {query, &seen, &into, i, 0};
    if (i == 0) ask_for_buckets(&near, dealt(&deal, query->codes[0]));
    /* the places of the next code's buckets arrive while the codes of this one's are compared */
    if (i + 1 < query->asking) ask_for_buckets(&near, dealt(&deal, query->codes[i + 1]));
    finish(&s, before, search(&s, &near, dealt(&deal, query->codes[i]), opened));
  }
  make_deal(&inverse, t->seed, 1);
  for (uint64_t i = 0; i < into.found && i < room; i++) hits[i].code = dealt(&inverse, hits[i].code);
  return into.found;
}

/* The same for `count` codes that are not in a table. */
EXPORT uint64_t patch_scan(const uint64_t *codes, const uint32_t *refs, uint64_t count, const struct query *query,
                           struct hit *hits, uint64_t room) {
  struct found into = {hits, room, 0};
  struct seen seen = {{0}};
  for (uint32_t i = 0; i < query->asking; i++) {
    uint64_t before = into.found, code = query->codes[i];
    struct search s = {query, &seen, &into, i, 0};
    int is_too_many = 0;
    for (uint64_t at = 0; at < count && !is_too_many; at++) {
      uint32_t distance = ones(codes[at] ^ code);
      if (distance <= query->distance) is_too_many = keep(&s, codes[at], refs[at], distance);
    }
    finish(&s, before, is_too_many);
  }
  return into.found;
}

/* Computes the keys of the next codes, at most AT_ONCE, and prefetches their places. */
INLINE uint32_t next_keys(const struct chunk *c, const uint64_t *codes, uint64_t left, uint32_t *keys) {
  uint32_t count = left < AT_ONCE ? (uint32_t)left : AT_ONCE;
  for (uint32_t i = 0; i < count; i++) {
    keys[i] = key_of(codes[i], c);
    __builtin_prefetch(c->first + keys[i] + 1, 1);
  }
  return count;
}

/* Fills one chunk by counting: bucket i's next free position stands in first[i + 1], which it leaves as its end. */
static void fill(struct chunk *c, const uint64_t *codes, const uint32_t *refs, uint64_t count) {
  uint32_t keys[AT_ONCE], many, total = 0;
  memset(c->first, 0, ((1ull << c->bits) + 1) * sizeof *c->first);
  for (uint64_t at = 0; at < count; at += many) {
    many = next_keys(c, codes + at, count - at, keys);
    for (uint32_t i = 0; i < many; i++) c->first[keys[i] + 1]++;
  }
  for (uint64_t i = 1; i <= 1ull << c->bits; i++) {
    uint32_t held = c->first[i];
    c->first[i] = total;
    total += held;
  }
  for (uint64_t at = 0; at < count; at += many) {
    many = next_keys(c, codes + at, count - at, keys);
    for (uint32_t i = 0; i < many; i++) {
      __builtin_prefetch(c->rest + (uint64_t)c->first[keys[i] + 1] * REST_BYTES, 1);
      __builtin_prefetch(c->ref + c->first[keys[i] + 1], 1);
    }
    for (uint32_t i = 0; i < many; i++) {
      uint64_t place = c->first[keys[i] + 1]++, rest = rest_of(codes[at + i], c);
      memcpy(c->rest + place * REST_BYTES, &rest, REST_BYTES);
      c->ref[place] = refs[at + i];
    }
  }
}

/* Fills a table's chunks with its codes, which it deals in place. */
EXPORT uint64_t patch_build(struct table *t, uint64_t *codes, const uint32_t *refs) {
  struct deal deal;
  make_deal(&deal, t->seed, 0);
  for (uint64_t i = 0; i < t->count; i++) codes[i] = dealt(&deal, codes[i]);
  for (uint32_t i = 0; i < t->chunks; i++) fill(&t->chunk[i], codes, refs, t->count);
  return t->count;
}

/* Writes the codes of pictures that are not removed, and their references with the pictures' new numbers `numbers`.
   Returns how many. */
EXPORT uint64_t patch_rows(const struct table *t, const uint8_t *dead, const uint32_t *numbers, uint64_t *codes,
                           uint32_t *refs) {
  const struct chunk *c = t->chunk;
  struct deal inverse;
  uint64_t found = 0;
  make_deal(&inverse, t->seed, 1);
  for (uint64_t key = 0; key < 1ull << c->bits; key++)
    for (uint64_t at = c->first[key]; at < c->first[key + 1]; at++) {
      uint32_t picture = c->ref[at] >> FRAME_BITS, frame = c->ref[at] & ((1 << FRAME_BITS) - 1);
      if (is_dead(dead, picture)) continue;
      codes[found] = dealt(&inverse, whole(read_rest(c->rest, at) >> 16, (uint32_t)key, c));
      refs[found++] = numbers[picture] << FRAME_BITS | frame;
    }
  return found;
}

/* Finds the pictures of an entry, removed ones included. Returns their number; the first `room` are written. */
EXPORT uint64_t patch_find(const struct table *t, const uint64_t *entry, uint32_t *pictures, uint64_t room) {
  uint64_t low = 0, high = t->pictures, found = 0;
  while (low < high) {
    uint64_t middle = (low + high) / 2;
    if (t->entries[2ull * t->order[middle]] < entry[0]) low = middle + 1;
    else high = middle;
  }
  for (; low < t->pictures && t->entries[2ull * t->order[low]] == entry[0]; low++) {
    if (t->entries[2ull * t->order[low] + 1] != entry[1]) continue;
    if (found < room) pictures[found] = t->order[low];
    found++;
  }
  return found;
}
