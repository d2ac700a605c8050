/* The cosines of PDQ's DCT, which local hashes use too. */
#pragma once

/* sqrt(2/64) * cos(pi/128 * m), m = 0..63, rounded to float32: every entry of the DCT matrix is one of them or its
   negative, as the reference computes it in double. Constants, because libraries differ in the last bits of cos. */
static const float COSINES[64] = {
    0x1.6a09e6p-3f, 0x1.69edfcp-3f, 0x1.699a42p-3f, 0x1.690ec6p-3f, 0x1.684b9cp-3f, 0x1.6750e4p-3f, 0x1.661ec2p-3f,
    0x1.64b568p-3f, 0x1.63150ap-3f, 0x1.613decp-3f, 0x1.5f3056p-3f, 0x1.5cec98p-3f, 0x1.5a730cp-3f, 0x1.57c414p-3f,
    0x1.54e018p-3f, 0x1.51c78cp-3f, 0x1.4e7ae8p-3f, 0x1.4afab2p-3f, 0x1.474772p-3f, 0x1.4361bap-3f, 0x1.3f4a24p-3f,
    0x1.3b0150p-3f, 0x1.3687eap-3f, 0x1.31dea2p-3f, 0x1.2d062ep-3f, 0x1.27ff50p-3f, 0x1.22caccp-3f, 0x1.1d6972p-3f,
    0x1.17dc14p-3f, 0x1.12238ep-3f, 0x1.0c40c2p-3f, 0x1.063498p-3f, 0x1.000000p-3f, 0x1.f347dap-4f, 0x1.e642b8p-4f,
    0x1.d8f29ap-4f, 0x1.cb598cp-4f, 0x1.bd79aap-4f, 0x1.af5516p-4f, 0x1.a0edfep-4f, 0x1.92469cp-4f, 0x1.836130p-4f,
    0x1.74400ap-4f, 0x1.64e57ap-4f, 0x1.5553e4p-4f, 0x1.458daap-4f, 0x1.35953cp-4f, 0x1.256d12p-4f, 0x1.1517a8p-4f,
    0x1.049782p-4f, 0x1.e7de5ep-5f, 0x1.c6427ap-5f, 0x1.a4608ap-5f, 0x1.823dc8p-5f, 0x1.5fdf76p-5f, 0x1.3d4ae0p-5f,
    0x1.1a855ep-5f, 0x1.ef2894p-6f, 0x1.a8fa12p-6f, 0x1.628a08p-6f, 0x1.1be352p-6f, 0x1.aa21a8p-7f, 0x1.1c3af6p-7f,
    0x1.1c50e2p-8f};
