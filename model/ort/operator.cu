// The operators of kernel.h for GPUs.
//
// Of BiasQuickGelu a block goes through 2048 columns of a row, each thread through
// eight, which are 16 bytes.
__device__ float widen(unsigned short half) {
	float f;
	asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(half));
	return f;
}

__device__ unsigned short narrow(float f) {
	unsigned short half;
	asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(f));
	return half;
}

__device__ unsigned short one(unsigned short x, unsigned short bias, float alpha) {
	float z = widen(x) + widen(bias);
	return narrow(__fdividef(z, 1 + __expf(-alpha * z)));
}

__device__ unsigned two(unsigned x, unsigned bias, float alpha) {
	return one(x, bias, alpha) | (unsigned)one(x >> 16, bias >> 16, alpha) << 16;
}

extern "C" __global__ void bias_quick_gelu(const uint4 *x, const uint4 *bias, uint4 *y, unsigned columns, float alpha) {
	unsigned column = blockIdx.y * blockDim.x + threadIdx.x;
	if (column >= columns)
		return;
	size_t i = (size_t)blockIdx.x * columns + column;
	uint4 v = x[i], b = bias[column];
	y[i] = make_uint4(two(v.x, b.x, alpha), two(v.y, b.y, alpha), two(v.z, b.z, alpha), two(v.w, b.w, alpha));
}

// What step.h has.
struct step {
	const unsigned short *q, *k, *v;
	const float *mask;
	const long long *parents;
	const unsigned short *image_k, *image_v;
	const float *past_k, *past_v;
	unsigned short *y;
	float *text_k, *text_v;
	long long windows, rows, heads, head, length, text, image, past;
};

enum {
	threads = 256, // of a block, which goes through one head of one window
	warps = threads / 32,
	height = 4,      // queries that go through keys and values together
	most_head = 128, // the longest query
	chunk = 512,     // keys whose scores are kept
};

// What a block shares. Scores are of base 2.
struct shared {
	float q[height][most_head], scores[height][chunk], part[height][threads];
	float sums[warps][height][most_head];
	float most[height], total[height], fade[height];
};

// fold leaves the greatest number of each row of parts, or the sum, in its first place.
__device__ void fold(shared &w, bool greatest) {
	for (int n = threads / 2; n > 0; n /= 2) {
		__syncthreads();
		if (threadIdx.x < n)
			for (int r = 0; r < height; r++) {
				float *p = w.part[r] + threadIdx.x;
				p[0] = greatest ? fmaxf(p[0], p[n]) : p[0] + p[n];
			}
	}
	__syncthreads();
}

// weigh makes weights of n scores of each query, with a running maximum.
__device__ void weigh(shared &w, int n) {
	for (int r = 0; r < height; r++) {
		float most = w.most[r];
		for (int j = threadIdx.x; j < n; j += threads)
			most = fmaxf(most, w.scores[r][j]);
		w.part[r][threadIdx.x] = most;
	}
	fold(w, true);
	if (threadIdx.x < height) {
		int r = threadIdx.x;
		w.fade[r] = exp2f(w.most[r] - w.part[r][0]);
		w.most[r] = w.part[r][0];
	}
	__syncthreads();
	for (int r = 0; r < height; r++) {
		float sum = 0;
		for (int j = threadIdx.x; j < n; j += threads) {
			float weight = exp2f(w.scores[r][j] - w.most[r]);
			w.scores[r][j] = weight;
			sum += weight;
		}
		w.part[r][threadIdx.x] = sum;
	}
	fold(w, false);
	if (threadIdx.x < height)
		w.total[threadIdx.x] = w.total[threadIdx.x] * w.fade[threadIdx.x] + w.part[threadIdx.x][0];
}

// A thread sums up two columns of a head, and two that lie 64 further, over every eighth token.
struct columns {
	float sum[height][4];
};

// first is the columns' first of the thread: with the next, and both 64 further.
__device__ int first() { return threadIdx.x % 32 * 2; }

__device__ void fade(const shared &w, columns &c) {
	for (int r = 0; r < height; r++)
		for (int i = 0; i < 4; i++)
			c.sum[r][i] *= w.fade[r];
}

// see_image has the queries go through n tokens from key on.
__device__ void see_image(const step &s, shared &w, columns &c, int key, int n) {
	int head = s.head, image = s.image;
	const unsigned short *keys = s.image_k + blockIdx.x * s.head * s.image + key;
	for (int j = threadIdx.x; j < n; j += threads) {
		float score[height] = {0};
		for (int i = 0; i < head; i++) {
			float number = widen(keys[i * image + j]);
			for (int r = 0; r < height; r++)
				score[r] += w.q[r][i] * number;
		}
		for (int r = 0; r < height; r++)
			w.scores[r][j] = score[r];
	}
	weigh(w, n);
	fade(w, c);
	const unsigned short *values = s.image_v + (blockIdx.x * s.image + key) * s.head;
	for (int j = threadIdx.x / 32; j < n; j += warps)
		for (int half = 0; half < 2; half++) {
			int i = first() + 64 * half;
			if (i >= head)
				break;
			unsigned both = *(const unsigned *)(values + j * head + i);
			float one = widen(both), two = widen(both >> 16);
			for (int r = 0; r < height; r++) {
				c.sum[r][2 * half] += w.scores[r][j] * one;
				c.sum[r][2 * half + 1] += w.scores[r][j] * two;
			}
		}
	__syncthreads();
}

// place is where the text of the row of a window's token begins.
__device__ long long place(const step &s, long long token) {
	return (token / s.length * s.heads + blockIdx.x % s.heads) * s.text * s.head;
}

// see_text has each query, from a token on, of which there are `count`, go through n tokens of
// its own row's text from key on.
__device__ void see_text(const step &s, shared &w, columns &c, long long token, int count, int key, int n) {
	for (int at = threadIdx.x; at < height * n; at += threads) {
		int r = at / n, j = at % n;
		long long of = token + (r < count ? r : 0);
		const float *number = s.text_k + place(s, of) + (key + j) * s.head;
		float score = s.mask[of * s.text + key + j] * 1.44269504f;
		for (int i = 0; i < s.head; i++)
			score += w.q[r][i] * number[i];
		w.scores[r][j] = score;
	}
	__syncthreads();
	weigh(w, n);
	fade(w, c);
	for (int r = 0; r < count; r++) {
		const float *values = s.text_v + place(s, token + r) + key * s.head;
		for (int j = threadIdx.x / 32; j < n; j += warps)
			for (int i = 0; i < 4; i++) {
				int column = first() + i % 2 + i / 2 * 64;
				if (column < s.head)
					c.sum[r][i] += w.scores[r][j] * values[j * s.head + column];
			}
	}
	__syncthreads();
}

// extend copies what a row's parent has of this head and puts new tokens behind it.
__device__ void extend(const step &s, long long row, const float *past, const unsigned short *now, float *to) {
	long long head = blockIdx.x % s.heads, before = (s.text - s.length) * s.head;
	to += (row * s.heads + head) * s.text * s.head;
	past += (s.parents[row] * s.heads + head) * before;
	for (int i = threadIdx.x; i < before; i += threads)
		to[i] = past[i];
	for (int i = threadIdx.x; i < s.length * s.head; i += threads)
		to[before + i] = widen(now[((row * s.length + i / s.head) * s.heads + head) * s.head + i % s.head]);
}

// begin takes queries up from a token on, of which there are `count`; what is beyond is computed
// and not looked at.
__device__ void begin(const step &s, shared &w, long long token, int count) {
	float scale = 1.44269504f / sqrtf(s.head);
	for (int at = threadIdx.x; at < height * s.head; at += threads) {
		int r = at / s.head, i = at % s.head;
		w.q[r][i] = widen(s.q[((token + (r < count ? r : 0)) * s.heads + blockIdx.x % s.heads) * s.head + i]) * scale;
	}
	if (threadIdx.x < height)
		w.most[threadIdx.x] = -1e30f, w.total[threadIdx.x] = 0;
	__syncthreads();
}

// end adds up what warps have of each column.
__device__ void end(const step &s, shared &w, const columns &c, long long token, int count) {
	for (int r = 0; r < height; r++)
		for (int i = 0; i < 4; i++)
			if (first() + i % 2 + i / 2 * 64 < most_head)
				w.sums[threadIdx.x / 32][r][first() + i % 2 + i / 2 * 64] = c.sum[r][i];
	__syncthreads();
	for (int at = threadIdx.x; at < count * s.head; at += threads) {
		int r = at / s.head, i = at % s.head;
		float sum = 0;
		for (int warp = 0; warp < warps; warp++)
			sum += w.sums[warp][r][i];
		s.y[((token + r) * s.heads + blockIdx.x % s.heads) * s.head + i] = narrow(sum / w.total[r]);
	}
	__syncthreads();
}

extern "C" __global__ void step_attention(step s) {
	__shared__ shared w;
	long long window = blockIdx.x / s.heads, from = window * s.rows * s.length, last = from + s.rows * s.length;
	for (long long row = window * s.rows; row < (window + 1) * s.rows; row++) {
		extend(s, row, s.past_k, s.k, s.text_k);
		extend(s, row, s.past_v, s.v, s.text_v);
	}
	for (long long token = from; token < last; token += height) {
		int count = last - token < height ? last - token : height;
		columns c = {};
		begin(s, w, token, count);
		for (int key = 0; key < s.image; key += chunk)
			see_image(s, w, c, key, s.image - key < chunk ? s.image - key : chunk);
		for (int key = 0; key < s.text; key += chunk)
			see_text(s, w, c, token, count, key, s.text - key < chunk ? s.text - key : chunk);
		end(s, w, c, token, count);
	}
}
