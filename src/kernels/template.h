/* What the templates of kernels share: names that end in the dtype, and hints for the compiler. */
#ifndef FASTBS_TEMPLATE_H
#define FASTBS_TEMPLATE_H

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define NAME(f) PASTE(f, SUFFIX)

#if defined(__clang__)
#define NO_DEPENDENCE _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define NO_DEPENDENCE _Pragma("GCC ivdep")
#else
#define NO_DEPENDENCE
#endif

/* In front of loops over registers, whose counts are constants: otherwise they may stay loops over memory. */
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 8")
#else
#define UNROLL
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define COLD __attribute__((noinline, cold))
#define UNLIKELY(condition) __builtin_expect(condition, 0)
#define OWN_CODE(x) __asm__ volatile("" : "+r"(x))
#define UNREACHABLE __builtin_unreachable()
#else
#define INLINE static inline
#define COLD
#define UNLIKELY(condition) (condition)
#define OWN_CODE(x) (void)(x)
#define UNREACHABLE break
#endif

#endif
