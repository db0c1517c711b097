// toml++, met here alone: the values of a TOML file in their order, each with its place. C++ and its exceptions end here.

#ifndef IMGREC_TOML_EVENTS_H
#define IMGREC_TOML_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// A table and an array are followed by what is in them, and then by IMGREC_TOML_END.
typedef enum {
    IMGREC_TOML_TABLE,
    IMGREC_TOML_ARRAY,
    IMGREC_TOML_END,
    IMGREC_TOML_STRING,
    IMGREC_TOML_INTEGER,
    IMGREC_TOML_NUMBER,
    IMGREC_TOML_BOOLEAN,
    // A date, a time or both.
    IMGREC_TOML_DATE,
} imgrec_toml_kind;

// Line and column count from 1; both are 0 at the end of a table or an array.
typedef struct {
    uint32_t line;
    uint32_t column;
} imgrec_toml_place;

typedef struct {
    imgrec_toml_kind kind;
    // UTF-8, not terminated; NULL in an array and at the end.
    const char *key;
    size_t key_bytes;
    // Of the key, or of the value where there is none.
    imgrec_toml_place place;
    const char *text;
    size_t text_bytes;
    int64_t integer;
    double number;
    bool boolean;
} imgrec_toml_event;

// Reads a whole file and calls `take` for each value; the outermost table has no event of its own. What an event points to
// lives as long as the call. False where it is not TOML: then `message`, which is terminated and cut where it does not fit, says
// why, and `place` where.
bool imgrec_toml_read(
    const char *text, size_t text_bytes, void (*take)(void *context, const imgrec_toml_event *event),
    void *context, imgrec_toml_place *place, char *message, size_t message_bytes);

#ifdef __cplusplus
}
#endif

#endif
