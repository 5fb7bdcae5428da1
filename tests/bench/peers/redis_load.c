// Load for Redis: one producer and one consumer, each a thread with a connection, commands in
// pipelines, every message acknowledged (a list has no acknowledgements: there a message is gone
// once it is read).
//   redis_load PORT stream|list SIZE PIPELINE SECONDS
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int port, size, pipeline, is_stream;
static atomic_int stop;
static atomic_long produced, consumed;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static redisContext* connected(void) {
  redisContext* c = redisConnect("127.0.0.1", port);
  if (c == NULL || c->err) {
    fprintf(stderr, "no connection\n");
    exit(1);
  }
  return c;
}

static redisReply* reply_of(redisContext* c) {
  void* reply = NULL;
  if (redisGetReply(c, &reply) != REDIS_OK || reply == NULL ||
      ((redisReply*)reply)->type == REDIS_REPLY_ERROR) {
    fprintf(stderr, "failed: %s\n", reply ? ((redisReply*)reply)->str : c->errstr);
    exit(1);
  }
  return reply;
}

static void* produce(void* unused) {
  (void)unused;
  redisContext* c = connected();
  char* body = malloc(size);
  memset(body, 'x', size);
  while (!stop) {
    // As the others' windows: what is not consumed does not grow without end.
    if (produced - consumed > 32768) {
      struct timespec nap = {0, 100000};
      nanosleep(&nap, NULL);
      continue;
    }
    for (int i = 0; i < pipeline; i++) {
      if (is_stream) {
        redisAppendCommand(c, "XADD bench MAXLEN ~ 100000 * m %b", body, (size_t)size);
      } else {
        redisAppendCommand(c, "RPUSH bench %b", body, (size_t)size);
      }
    }
    for (int i = 0; i < pipeline; i++) freeReplyObject(reply_of(c));
    produced += pipeline;
  }
  return NULL;
}

static long take_stream(redisContext* c) {
  redisAppendCommand(c, "XREADGROUP GROUP g me COUNT %d BLOCK 100 STREAMS bench >", pipeline);
  redisReply* reply = reply_of(c);
  long count = 0;
  if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0) {
    redisReply* messages = reply->element[0]->element[1];
    count = (long)messages->elements;
    const char** words = malloc((count + 3) * sizeof(char*));
    size_t* lengths = malloc((count + 3) * sizeof(size_t));
    const char* head[] = {"XACK", "bench", "g"};
    for (int i = 0; i < 3; i++) words[i] = head[i], lengths[i] = strlen(head[i]);
    for (long i = 0; i < count; i++) {
      words[i + 3] = messages->element[i]->element[0]->str;
      lengths[i + 3] = messages->element[i]->element[0]->len;
    }
    redisAppendCommandArgv(c, (int)count + 3, words, lengths);
    freeReplyObject(reply_of(c));
    free(words);
    free(lengths);
  }
  freeReplyObject(reply);
  return count;
}

static long take_list(redisContext* c) {
  redisAppendCommand(c, "LPOP bench %d", pipeline);
  redisReply* reply = reply_of(c);
  const long count = reply->type == REDIS_REPLY_ARRAY ? (long)reply->elements : 0;
  freeReplyObject(reply);
  return count;
}

static void* consume(void* unused) {
  (void)unused;
  redisContext* c = connected();
  while (!stop) consumed += is_stream ? take_stream(c) : take_list(c);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 6) return 64;
  port = atoi(argv[1]);
  is_stream = strcmp(argv[2], "stream") == 0;
  size = atoi(argv[3]);
  pipeline = atoi(argv[4]);
  redisContext* c = connected();
  freeReplyObject(redisCommand(c, "DEL bench"));
  if (is_stream) freeReplyObject(redisCommand(c, "XGROUP CREATE bench g 0 MKSTREAM"));
  pthread_t threads[2];
  const double start = now();
  pthread_create(&threads[0], NULL, produce, NULL);
  pthread_create(&threads[1], NULL, consume, NULL);
  const double seconds = atof(argv[5]);
  struct timespec wait = {(time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9)};
  nanosleep(&wait, NULL);
  const long count = consumed;
  const double elapsed = now() - start;
  stop = 1;
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  printf("consumed %ld seconds %.3f\n", count, elapsed);
  return 0;
}
