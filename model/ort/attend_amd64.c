// Softmax is computed block by block with a running maximum (Dao et al. 2022,
// arXiv:2205.14135), so that scores stay in a core's first cache.
#include "attend_tile.h"

#include <math.h>
#include <string.h>

enum { rows = 48 }; // queries of a part

size_t captiond_attend_room(const captiond_attend *a) { return a->sequences * a->heads * a->arithmetic->room(a); }

static void *place(const captiond_attend *a, int64_t at) { return (char *)a->room + at * a->arithmetic->room(a); }

void captiond_attend_pack(void *attend, size_t part) {
	const captiond_attend *a = attend;
	a->arithmetic->pack(a, part, place(a, part));
}

static int64_t parts_of_one(const captiond_attend *a) { return captiond_up(a->tokens, rows) / rows; }

size_t captiond_attend_parts(const captiond_attend *a) { return a->sequences * a->heads * parts_of_one(a); }

// begin takes n queries up, from the one of a token on.
static void begin(const captiond_attend *a, int64_t at, int64_t token, int64_t n, queries *w) {
	int64_t head = captiond_up(a->head, lanes);
	for (int r = 0; r < height; r++) {
		memset(w->sums[r], 0, head * sizeof w->sums[r][0]);
		memset(w->q[r], 0, head * sizeof w->q[r][0]);
		memset(w->q16[r], 0, head * sizeof w->q16[r][0]);
		w->worth[r] = 0;
		captiond_fetch(a, a->q, at, token + height + r);
		if (r < n)
			a->arithmetic->take(a, a->q + captiond_row(a, at, token + r), w, r);
		w->most[r] = -INFINITY;
		w->total[r] = 0;
	}
}

VECTORS void captiond_raise(queries *w, int r, int64_t n, int64_t head) {
	float *scores = w->scores[r];
	for (int64_t j = n; j < captiond_up(n, lanes); j++)
		scores[j] = -INFINITY;
	__m512 greatest = _mm512_set1_ps(w->most[r]);
	for (int64_t j = 0; j < n; j += lanes)
		greatest = _mm512_max_ps(greatest, _mm512_load_ps(scores + j));
	float most = _mm512_reduce_max_ps(greatest);
	if (most <= w->most[r])
		return;
	float fade = exp2f(w->most[r] - most);
	w->total[r] *= fade;
	for (int64_t i = 0; i < head; i++)
		w->sums[r][i] *= fade;
	w->most[r] = most;
}

// attend goes through a block of n tokens from key on.
static void attend(const captiond_attend *a, const void *room, queries *w, int64_t key, int64_t n) {
	a->arithmetic->score(a, room, w, key, n);
	for (int r = 0; r < height; r++) {
		captiond_raise(w, r, n, a->head);
		a->arithmetic->weigh(w, r, n);
	}
	a->arithmetic->gather(a, room, w, key, n);
}

VECTORS static void end(const captiond_attend *a, int64_t at, int64_t token, int64_t n, const queries *w) {
	for (int r = 0; r < n; r++) {
		float *to = a->y + captiond_row(a, at, token + r), inverse = 1 / w->total[r];
		for (int64_t i = 0; i < a->head; i++)
			to[i] = w->sums[r][i] * inverse;
	}
}

void captiond_attend_run(void *attention, size_t part) {
	const captiond_attend *a = attention;
	int64_t at = part / parts_of_one(a), first = part % parts_of_one(a) * rows;
	const void *room = place(a, at);
	queries w;
	for (int64_t token = first; token < first + rows && token < a->tokens; token += height) {
		int64_t n = a->tokens - token < height ? a->tokens - token : height;
		begin(a, at, token, n, &w);
		for (int64_t key = 0; key < a->tokens; key += block)
			attend(a, room, &w, key, a->tokens - key < block ? a->tokens - key : block);
		end(a, at, token, n, &w);
	}
}
