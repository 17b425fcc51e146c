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
	height = 4,      // queries that go through keys and values together, but for a lone one
	most_head = 128, // the longest query
	chunk = 2 * threads, // keys whose scores are kept
};

// What a block shares, and N queries use. Scores are of base 2.
struct shared {
	float q[height][most_head], scores[height][chunk], part[height][threads];
	float sums[warps][height][most_head];
	float most[height], total[height], fade[height];
};

// fold leaves the greatest number of each row of parts, or the sum, in its first place.
template <int N> __device__ void fold(shared &w, bool greatest) {
	for (int n = threads / 2; n > 0; n /= 2) {
		__syncthreads();
		if (threadIdx.x < n)
			for (int r = 0; r < N; r++) {
				float *p = w.part[r] + threadIdx.x;
				p[0] = greatest ? fmaxf(p[0], p[n]) : p[0] + p[n];
			}
	}
	__syncthreads();
}

// weigh makes weights of n scores of each query, with a running maximum.
template <int N> __device__ void weigh(shared &w, int n) {
	for (int r = 0; r < N; r++) {
		float most = w.most[r];
		for (int j = threadIdx.x; j < n; j += threads)
			most = fmaxf(most, w.scores[r][j]);
		w.part[r][threadIdx.x] = most;
	}
	fold<N>(w, true);
	if (threadIdx.x < N) {
		int r = threadIdx.x;
		w.fade[r] = exp2f(w.most[r] - w.part[r][0]);
		w.most[r] = w.part[r][0];
	}
	__syncthreads();
	for (int r = 0; r < N; r++) {
		float sum = 0;
		for (int j = threadIdx.x; j < n; j += threads) {
			float weight = exp2f(w.scores[r][j] - w.most[r]);
			w.scores[r][j] = weight;
			sum += weight;
		}
		w.part[r][threadIdx.x] = sum;
	}
	fold<N>(w, false);
	if (threadIdx.x < N)
		w.total[threadIdx.x] = w.total[threadIdx.x] * w.fade[threadIdx.x] + w.part[threadIdx.x][0];
}

// A thread sums up two columns of a head, and two that lie 64 further, over every eighth token.
template <int N> struct columns {
	float sum[N][4];
};

// column is the i-th of the thread's columns.
__device__ int column(int i) { return threadIdx.x % 32 * 2 + i % 2 + i / 2 * 64; }

template <int N> __device__ void fade(const shared &w, columns<N> &c) {
	for (int r = 0; r < N; r++)
		for (int i = 0; i < 4; i++)
			c.sum[r][i] *= w.fade[r];
}

// score computes scores of two keys that lie together, or of one.
template <int N> __device__ void score(shared &w, const unsigned short *keys, int head, int image, int j, bool two) {
	float first[N] = {0}, second[N] = {0};
#pragma unroll 8
	for (int i = 0; i < head; i++) {
		unsigned both = two ? *(const unsigned *)(keys + i * image + j) : keys[i * image + j];
		float one = widen(both), other = widen(both >> 16);
		for (int r = 0; r < N; r++) {
			first[r] += w.q[r][i] * one;
			second[r] += w.q[r][i] * other;
		}
	}
	for (int r = 0; r < N; r++) {
		w.scores[r][j] = first[r];
		if (two)
			w.scores[r][j + 1] = second[r];
	}
}

// see_image has the queries go through n tokens from key on. Keys of an image with an even number
// of tokens are read two at a time.
template <int N> __device__ void see_image(const step &s, shared &w, columns<N> &c, int key, int n) {
	int head = s.head, image = s.image;
	const unsigned short *keys = s.image_k + blockIdx.x * s.head * s.image + key;
	if (image % 2 == 0) {
		for (int j = 2 * threadIdx.x; j < n; j += 2 * threads)
			score<N>(w, keys, head, image, j, true);
	} else {
		for (int j = threadIdx.x; j < n; j += threads)
			score<N>(w, keys, head, image, j, false);
	}
	__syncthreads();
	weigh<N>(w, n);
	fade(w, c);
	const unsigned short *values = s.image_v + (blockIdx.x * s.image + key) * s.head;
	for (int half = 0; half < 2; half++) {
		int i = column(2 * half);
		if (i >= head)
			break;
#pragma unroll 8
		for (int j = threadIdx.x / 32; j < n; j += warps) {
			unsigned both = *(const unsigned *)(values + j * head + i);
			for (int r = 0; r < N; r++) {
				c.sum[r][2 * half] += w.scores[r][j] * widen(both);
				c.sum[r][2 * half + 1] += w.scores[r][j] * widen(both >> 16);
			}
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
template <int N> __device__ void see_text(const step &s, shared &w, columns<N> &c, long long token, int count, int key, int n) {
	int head = s.head;
	for (int at = threadIdx.x; at < N * n; at += threads) {
		int r = at / n, j = at % n;
		long long of = token + (r < count ? r : 0);
		const float *number = s.text_k + place(s, of) + (key + j) * head;
		float score = s.mask[of * s.text + key + j] * 1.44269504f;
#pragma unroll 8
		for (int i = 0; i < head; i++)
			score += w.q[r][i] * number[i];
		w.scores[r][j] = score;
	}
	__syncthreads();
	weigh<N>(w, n);
	fade(w, c);
	for (int r = 0; r < N && r < count; r++) {
		const float *values = s.text_v + place(s, token + r) + key * head;
		for (int j = threadIdx.x / 32; j < n; j += warps)
			for (int i = 0; i < 4; i++)
				if (column(i) < head)
					c.sum[r][i] += w.scores[r][j] * values[j * head + column(i)];
	}
	__syncthreads();
}

// extend copies what a row's parent has of this head and puts new tokens behind it.
__device__ void extend(const step &s, long long row, const float *past, const unsigned short *now, float *to) {
	int head = s.head, which = blockIdx.x % s.heads, before = (s.text - s.length) * head;
	to += (row * s.heads + which) * s.text * head;
	past += (s.parents[row] * s.heads + which) * before;
	for (int i = threadIdx.x; i < before; i += threads)
		to[i] = past[i];
	for (int i = threadIdx.x; i < s.length * head; i += threads)
		to[before + i] = widen(now[((row * s.length + i / head) * s.heads + which) * head + i % head]);
}

// begin takes queries up from a token on, of which there are `count`; what is beyond is computed
// and not looked at.
template <int N> __device__ void begin(const step &s, shared &w, long long token, int count) {
	int head = s.head;
	float scale = 1.44269504f / sqrtf(head);
	for (int at = threadIdx.x; at < N * head; at += threads) {
		int r = at / head, i = at % head;
		w.q[r][i] = widen(s.q[((token + (r < count ? r : 0)) * s.heads + blockIdx.x % s.heads) * head + i]) * scale;
	}
	if (threadIdx.x < N)
		w.most[threadIdx.x] = -1e30f, w.total[threadIdx.x] = 0;
	__syncthreads();
}

// end adds up what warps have of each column.
template <int N> __device__ void end(const step &s, shared &w, const columns<N> &c, long long token, int count) {
	for (int r = 0; r < N; r++)
		for (int i = 0; i < 4; i++)
			w.sums[threadIdx.x / 32][r][column(i)] = c.sum[r][i];
	__syncthreads();
	int head = s.head;
	for (int at = threadIdx.x; at < count * head; at += threads) {
		int r = at / head, i = at % head;
		float sum = 0;
		for (int warp = 0; warp < warps; warp++)
			sum += w.sums[warp][r][i];
		s.y[((token + r) * s.heads + blockIdx.x % s.heads) * head + i] = narrow(sum / w.total[r]);
	}
	__syncthreads();
}

// attend goes through one head of one window, N queries at a time.
template <int N> __device__ void attend(const step &s) {
	__shared__ shared w;
	long long window = blockIdx.x / s.heads, from = window * s.rows * s.length, last = from + s.rows * s.length;
	for (long long row = window * s.rows; row < (window + 1) * s.rows; row++) {
		extend(s, row, s.past_k, s.k, s.text_k);
		extend(s, row, s.past_v, s.v, s.text_v);
	}
	for (long long token = from; token < last; token += N) {
		int count = last - token < N ? last - token : N;
		columns<N> c = {};
		begin<N>(s, w, token, count);
		for (int key = 0; key < s.image; key += chunk)
			see_image(s, w, c, key, s.image - key < chunk ? s.image - key : chunk);
		for (int key = 0; key < s.text; key += chunk)
			see_text(s, w, c, token, count, key, s.text - key < chunk ? s.text - key : chunk);
		end(s, w, c, token, count);
	}
}

extern "C" __global__ void step_attention(step s) { attend<height>(s); }
extern "C" __global__ void step_attention_alone(step s) { attend<1>(s); }
