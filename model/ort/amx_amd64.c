#define _GNU_SOURCE
#include "amx.h"

#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

// allowed asks Linux for the tiles' state (Documentation/arch/x86/xstate.rst), which threads do
// not have otherwise: signals need more room with it.
static bool allowed(void) {
	enum { request = 0x1023, tile_data = 18 }; // ARCH_REQ_XCOMP_PERM
	return __builtin_cpu_supports("amx-int8") && !syscall(SYS_arch_prctl, request, tile_data);
}

OrtStatus *captiond_read_amx(captiond_node *n, const OrtKernelInfo *info) {
	OrtStatus *failed = n->api->KernelInfoGetAttribute_int64(info, "amx", &n->amx);
	if (!failed && n->amx && !allowed())
		failed = n->api->CreateStatus(fail, "this CPU has no AMX, or the system does not let a program use it");
	return failed;
}

void captiond_amx_begin(int64_t rows) {
	struct {
		uint8_t palette, start, reserved[14];
		uint16_t row_bytes[16];
		uint8_t rows[16];
	} tiles = {.palette = 1};
	for (int i = 0; i < 8; i++) {
		tiles.row_bytes[i] = captiond_tile_row;
		tiles.rows[i] = i == 0 || i == 1 || i == 4 ? rows : captiond_tile_rows;
	}
	__asm__ volatile("ldtilecfg %0" :: "m"(tiles));
}

void captiond_amx_end(void) { __asm__ volatile("tilerelease" ::); }
