#define _GNU_SOURCE
#include "layer.h"

#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// allowed asks Linux for the state of AMX's tiles (Documentation/arch/x86/xstate.rst), which threads
// do not have otherwise: signals need more room with it.
static bool allowed(void) {
	enum { request = 0x1023, tile_data = 18 }; // ARCH_REQ_XCOMP_PERM
	return __builtin_cpu_supports("amx-int8") && !syscall(SYS_arch_prctl, request, tile_data);
}

static OrtStatus *read_amx(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = n->api->KernelInfoGetAttribute_int64(info, "amx", &n->amx);
	if (!failed && n->amx && !allowed())
		failed = n->api->CreateStatus(fail, "this CPU has no AMX, or the system does not let a program use it");
	return failed;
}

OrtStatus *captiond_read_outputs(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = captiond_read_vectors(n, info);
	if (!failed && !__builtin_cpu_supports("avx512vnni"))
		failed = n->api->CreateStatus(fail, "this CPU has no AVX-512 with VNNI");
	if (!failed)
		failed = read_amx(n, info);
	return failed ? failed : n->api->KernelInfoGetAttribute_int64(info, "outputs", &n->outputs);
}

OrtStatus *captiond_read_outputs_alpha(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = captiond_read_outputs(n, info);
	return failed ? failed : captiond_read_alpha(n, info);
}

enum { x, weights, offset, scale, bias, all };

// fits tells whether inputs are shaped as a layer of so many outputs has them.
static bool fits(const captiond_node *n, const captiond_tensor *in, bool biased) {
	int64_t panels = captiond_whole(n->outputs, captiond_panel);
	if (in[x].rank != 2 || in[weights].rank != 4 || in[offset].rank != 1 || in[scale].rank != 1 || in[x].dims[1] > captiond_most_inputs)
		return false;
	const int64_t packed[] = {panels, captiond_up(in[x].dims[1], captiond_deep) / captiond_group, captiond_panel, captiond_group};
	return !memcmp(in[weights].dims, packed, sizeof packed) && in[offset].dims[0] == panels * captiond_panel &&
		in[scale].dims[0] == panels * captiond_panel && (!biased || (in[bias].rank == 1 && in[bias].dims[0] == n->outputs));
}

// compute multiplies, adds the bias where there is one, and activates where it is to.
static OrtStatus *compute(const captiond_node *n, OrtKernelContext *context, captiond_activate *activate) {
	captiond_tensor in[all] = {0};
	OrtStatus *failed = NULL;
	bool biased = captiond_has(n, context, bias);
	for (int i = 0; !failed && i < (biased ? all : bias); i++)
		failed = captiond_input(n, context, i, &in[i]);
	if (failed)
		return failed;
	if (!fits(n, in, biased))
		return n->api->CreateStatus(invalid, "Linear8: inputs are not shaped as the layer has them");
	captiond_layer l = {
		.x = in[x].data, .weights = in[weights].data, .offset = in[offset].data, .scale = in[scale].data,
		.bias = in[bias].data, .activate = activate, .alpha = n->alpha,
		.rows = in[x].dims[0], .inputs = in[x].dims[1], .outputs = n->outputs,
	};
	return captiond_multiply(n, context, &l, n->amx ? &captiond_by_amx : &captiond_by_vnni);
}

OrtStatus *captiond_linear8(void *node, OrtKernelContext *context) { return compute(node, context, NULL); }
OrtStatus *captiond_linear8_gelu(void *node, OrtKernelContext *context) { return compute(node, context, captiond_gelu_row); }
OrtStatus *captiond_linear8_quick_gelu(void *node, OrtKernelContext *context) { return compute(node, context, captiond_quick_gelu_row); }
