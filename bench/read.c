// What a compiled loop reads of memory with so many threads: for the share of it that the wasm backend reaches.
// Prints bytes/s of each of so many rounds, all threads reading their part of 128 MiB.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { elements = 1 << 25, lanes = 64 };
static float *array, sums[1024];
static int threads, rounds;
static pthread_barrier_t barrier;

static void *work(void *argument) {
  long thread = (long)argument;
  size_t count = elements / threads / lanes * lanes;
  const float *from = array + thread * count;
  for (int round = 0; round < rounds; round++) {
    pthread_barrier_wait(&barrier);
    float sum[lanes] = {0};
    for (size_t i = 0; i < count; i += lanes)
      for (int j = 0; j < lanes; j++) sum[j] += from[i + j];
    for (int j = 0; j < lanes; j++) sums[thread] += sum[j];
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int count, char **arguments) {
  threads = count > 1 ? atoi(arguments[1]) : 1;
  rounds = count > 2 ? atoi(arguments[2]) : 9;
  array = aligned_alloc(64, elements * sizeof *array);
  for (size_t i = 0; i < elements; i++) array[i] = (float)(i & 255) - 100;
  pthread_barrier_init(&barrier, NULL, threads + 1);
  pthread_t others[1024];
  for (long t = 0; t < threads; t++) pthread_create(&others[t], NULL, work, (void *)t);
  for (int round = 0; round < rounds; round++) {
    double begin = seconds();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    printf("%g\n", elements * sizeof *array / (seconds() - begin));
  }
  for (int t = 0; t < threads; t++) pthread_join(others[t], NULL);
  fprintf(stderr, "%g\n", sums[0]);
  return 0;
}
