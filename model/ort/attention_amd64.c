#include "attend.h"
#include "heap.h"
#include "kernel.h"

#include <stdbool.h>
#include <string.h>

OrtStatus *captiond_read_attention(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = n->api->KernelInfoGetAttribute_int64(info, "heads", &n->heads);
	if (!failed)
		failed = n->api->KernelInfoGetAttribute_int64(info, "integers", &n->integers);
	if (!failed)
		failed = captiond_read_vectors(n, info);
	if (!failed && n->integers && !__builtin_cpu_supports("avx512vnni"))
		failed = n->api->CreateStatus(fail, "this CPU has no AVX-512 with VNNI");
	return failed;
}

static bool fits(const captiond_node *n, const captiond_tensor in[3]) {
	for (int i = 0; i < 3; i++)
		if (in[i].rank != 3 || memcmp(in[i].dims, in[0].dims, 3 * sizeof in[0].dims[0]))
			return false;
	return n->heads > 0 && in[0].dims[2] % n->heads == 0 && in[0].dims[2] / n->heads <= captiond_most_head;
}

// begin finds out what there is to do and makes the output.
static OrtStatus *begin(const captiond_node *n, OrtKernelContext *context, captiond_attend *a) {
	captiond_tensor in[3];
	OrtStatus *failed = NULL;
	for (int i = 0; !failed && i < 3; i++)
		failed = captiond_input(n, context, i, &in[i]);
	if (failed)
		return failed;
	if (!fits(n, in))
		return n->api->CreateStatus(invalid, "Attention: q, k and v are not all [n, N, heads*d] with d of at most 256");
	*a = (captiond_attend){
		.arithmetic = n->integers ? &captiond_int16 : &captiond_float32,
		.q = in[0].data, .k = in[1].data, .v = in[2].data,
		.sequences = in[0].dims[0], .tokens = in[0].dims[1], .heads = n->heads, .head = in[0].dims[2] / n->heads,
	};
	return captiond_output(n, context, 0, &in[0], &a->y);
}

OrtStatus *captiond_attention(void *node, OrtKernelContext *context) {
	const captiond_node *n = node;
	captiond_attend a;
	OrtStatus *failed = begin(n, context, &a);
	if (failed || a.sequences * a.tokens * a.head == 0)
		return failed;
	a.room = captiond_heap_alloc(captiond_attend_room(&a));
	if (!a.room)
		return n->api->CreateStatus(fail, "bad_alloc");
	failed = n->api->KernelContext_ParallelFor(context, captiond_attend_pack, a.sequences * a.heads, 0, &a);
	if (!failed)
		failed = n->api->KernelContext_ParallelFor(context, captiond_attend_run, captiond_attend_parts(&a), 0, &a);
	captiond_heap_free(a.room);
	return failed;
}
