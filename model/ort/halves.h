// Numbers of binary16 on CPUs.
#ifndef CAPTIOND_ORT_HALVES_H
#define CAPTIOND_ORT_HALVES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

// captiond_widen is the number that the bits of a half are.
static inline float captiond_widen(uint16_t half) {
	uint32_t sign = (uint32_t)(half & 0x8000) << 16, bits = (uint32_t)(half & 0x7fff) << 13;
	float f;
	if (bits >= 0x7c00 << 13)
		bits |= 0x7f800000; // infinite, or not a number
	memcpy(&f, &bits, sizeof f);
	if (bits < 0x7f800000)
		f *= 0x1p112f; // the exponent's bias is 15, not 127
	return sign ? -f : f;
}

// captiond_narrow rounds to the nearest, ties to even. Infinity is what is too great.
static inline uint16_t captiond_narrow(float f) {
	uint32_t bits;
	memcpy(&bits, &f, sizeof bits);
	uint16_t sign = bits >> 16 & 0x8000;
	bits &= 0x7fffffff;
	if (bits > 0x7f800000)
		return sign | 0x7e00;
	if (bits >= 0x477ff000)
		return sign | 0x7c00;
	if (bits < 0x38800000)
		return sign | (uint16_t)rintf(fabsf(f) * 0x1p24f);
	return sign | (uint16_t)((bits - 0x38000000 + 0xfff + (bits >> 13 & 1)) >> 13);
}

#endif
