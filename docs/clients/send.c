/* Sends two made-up leads to ecgstream: cc send.c -o send -lzmq -lm, then: send tcp://HOST:PORT BED [SECONDS] */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { RATE = 250, COUNT = 10, LEADS = 2 };

static uint8_t header[512];
static size_t length;

/* MessagePack, the little of it that is needed; its numbers are big-endian. */
static void big_endian(uint8_t kind, uint64_t bits) {
    header[length++] = kind;
    for (int shift = 56; shift >= 0; shift -= 8) header[length++] = (uint8_t)(bits >> shift);
}
static void integer(uint64_t value) { big_endian(0xcf, value); }
static void number(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    big_endian(0xcb, bits);
}
static void text(const char *words) {
    size_t size = strlen(words);
    header[length++] = 0xd9;
    header[length++] = (uint8_t)size;
    memcpy(header + length, words, size);
    length += size;
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc < 3 || strlen(argv[2]) > 64) return fprintf(stderr, "usage: send tcp://HOST:PORT BED [SECONDS]\n"), 2;
    double seconds = argc > 3 ? atof(argv[3]) : 1e9, began = now();
    uint64_t session = 0;
    FILE *noise = fopen("/dev/urandom", "rb"); /* another number each time: a restart must not look like what came before */
    if (!noise || fread(&session, sizeof session, 1, noise) != 1) return perror("/dev/urandom"), 1;
    fclose(noise);
    session >>= 1;

    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_PUSH);
    int linger = 5000; /* ms that the end waits until all has gone out */
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    if (zmq_connect(socket, argv[1])) return fprintf(stderr, "%s: %s\n", argv[1], zmq_strerror(zmq_errno())), 1;

    for (uint64_t index = 0; (double)index < seconds * RATE; index += COUNT) {
        double wait = began + (double)(index + COUNT) / RATE - now(); /* until the last sample is there */
        if (wait > 0) nanosleep(&(struct timespec){(time_t)wait, (long)(1e9 * fmod(wait, 1))}, NULL);
        float samples[LEADS][COUNT]; /* lead after lead; on a big-endian machine swap their bytes */
        for (int at = 0; at < COUNT; at++) {
            double value = sin(2 * 3.14159265358979323846 * (double)(index + (uint64_t)at) / RATE);
            samples[0][at] = (float)value;
            samples[1][at] = (float)(2 * value);
        }
        length = 0;
        header[length++] = 0x8b; /* a map of 11 */
        text("type"), text("samples");
        text("version"), integer(1);
        text("bed"), text(argv[2]);
        text("session"), integer(session);
        text("sequence"), integer(index / COUNT);
        text("index"), integer(index);
        text("time"), number(began + (double)index / RATE);
        text("count"), integer(COUNT);
        text("rate"), number(RATE);
        text("unit"), text("mV");
        text("leads"), header[length++] = 0x92, text("I"), text("II"); /* a list of 2 */
        if (zmq_send(socket, argv[2], strlen(argv[2]), ZMQ_SNDMORE) < 0 ||
            zmq_send(socket, header, length, ZMQ_SNDMORE) < 0 || zmq_send(socket, samples, sizeof samples, 0) < 0)
            return fprintf(stderr, "%s\n", zmq_strerror(zmq_errno())), 1;
    }
    zmq_close(socket);
    zmq_ctx_term(context);
    return 0;
}
