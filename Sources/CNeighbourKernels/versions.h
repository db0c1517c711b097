#ifndef IMGREC_VERSIONS_H
#define IMGREC_VERSIONS_H

// A function that the compiler makes for several instruction sets; the loader takes the best that the CPU has.
#if defined(__x86_64__)
#define VERSIONS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define VERSIONS
#endif

#endif
