#include "toml_events.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string_view>
#include <vector>

namespace {

// toml++ 3.3 asserts what a file of its own could not break but any other can: that a key after `[` or `.` begins with a
// character that keys may begin with.
struct BrokenAssertion : std::exception {};

}  // namespace

// Otherwise they would be taken for granted.
#undef NDEBUG
#define TOML_ASSERT(condition)                     \
    do {                                           \
        if (!(condition)) throw BrokenAssertion(); \
    } while (false)
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace {

struct Visitor {
    void (*take)(void *context, const imgrec_toml_event *event);
    void *context;
    int depth = 0;

    void call(const imgrec_toml_event &event) const { take(context, &event); }

    void end() const {
        imgrec_toml_event event = {};
        event.kind = IMGREC_TOML_END;
        call(event);
    }
};

imgrec_toml_place place_of(const toml::source_region &region) {
    return {static_cast<uint32_t>(region.begin.line), static_cast<uint32_t>(region.begin.column)};
}

void visit(const toml::node &node, const toml::key *key, Visitor visitor);

// Deeper than anybody's tables are, and less than costs a stack.
constexpr int deepest = 64;
constexpr int most_dots = 16;

struct TooDeep {
    imgrec_toml_place place;
};

// Where the string that begins at a place ends; counts the lines that it has.
size_t end_of_string(std::string_view text, size_t at, uint32_t &line) {
    const char mark = text[at];
    const std::string_view long_mark = mark == '"' ? "\"\"\"" : "'''";
    const bool is_long = text.substr(at, 3) == long_mark;
    for (at += is_long ? 3 : 1; at < text.size(); at++) {
        const bool is_escape = text[at] == '\\' && mark == '"';
        if (is_escape && ++at == text.size()) break;
        if (text[at] == '\n') {
            if (!is_long) return at;
            line++;
        } else if (!is_escape && !is_long && text[at] == mark) {
            return at + 1;
        } else if (!is_escape && is_long && text.substr(at, 3) == long_mark) {
            // Up to two of its marks before those that end it are part of it.
            at += 3;
            for (int more = 0; more < 2 && at < text.size() && text[at] == mark; more++) at++;
            return at;
        }
    }
    return text.size();
}

// The line of the first name with too many parts; 0 where there is none. toml++ limits how deep values are nested, but not how deep
// the tables are that `a.a.a` makes, and taking those down again takes as much of the stack.
uint32_t line_of_long_name(std::string_view text) {
    uint32_t line = 1;
    int dots = 0;
    for (size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '"' || c == '\'') {
            at = end_of_string(text, at, line);
            continue;
        }
        if (c == '#') at = std::min(text.find('\n', at), text.size() - 1);
        if (c == '.' && ++dots > most_dots) return line;
        if (std::string_view("=,[]{}#\n").find(c) != std::string_view::npos) dots = 0;
        if (text[at] == '\n') line++;
        at++;
    }
    return 0;
}

// toml++ keeps the keys of a table in the order of their names; a reader goes by the order in the file.
void visit_entries(const toml::table &table, const Visitor &visitor) {
    std::vector<std::pair<const toml::key *, const toml::node *>> entries;
    for (auto entry = table.begin(); entry != table.end(); ++entry) {
        entries.emplace_back(&entry->first, &entry->second);
    }
    std::sort(entries.begin(), entries.end(), [](const auto &left, const auto &right) {
        return left.first->source().begin < right.first->source().begin;
    });
    for (const auto &[key, node] : entries) visit(*node, key, visitor);
}

void visit(const toml::node &node, const toml::key *key, Visitor visitor) {
    imgrec_toml_event event = {};
    event.place = place_of(key ? key->source() : node.source());
    if (++visitor.depth > deepest) throw TooDeep{event.place};
    if (key) {
        event.key = key->str().data();
        event.key_bytes = key->str().size();
    }
    if (const toml::table *table = node.as_table()) {
        event.kind = IMGREC_TOML_TABLE;
        visitor.call(event);
        visit_entries(*table, visitor);
        visitor.end();
        return;
    }
    if (const toml::array *array = node.as_array()) {
        event.kind = IMGREC_TOML_ARRAY;
        visitor.call(event);
        for (const toml::node &element : *array) visit(element, nullptr, visitor);
        visitor.end();
        return;
    }
    if (const auto *value = node.as_string()) {
        event.kind = IMGREC_TOML_STRING;
        event.text = value->get().data();
        event.text_bytes = value->get().size();
    } else if (const auto *value = node.as_integer()) {
        event.kind = IMGREC_TOML_INTEGER;
        event.integer = value->get();
    } else if (const auto *value = node.as_floating_point()) {
        event.kind = IMGREC_TOML_NUMBER;
        event.number = value->get();
    } else if (const auto *value = node.as_boolean()) {
        event.kind = IMGREC_TOML_BOOLEAN;
        event.boolean = value->get();
    } else {
        event.kind = IMGREC_TOML_DATE;
    }
    visitor.call(event);
}

bool breaks_assertion(std::string_view text) {
    try {
        [[maybe_unused]] const toml::table table = toml::parse(text);
    } catch (const BrokenAssertion &) {
        return true;
    } catch (const std::exception &) {
    }
    return false;
}

// The line with which an assertion breaks: from there on every longer beginning of the text breaks it.
uint32_t line_of_broken_assertion(std::string_view text) {
    std::vector<size_t> ends;
    for (size_t index = 0; index < text.size(); index++) {
        if (text[index] == '\n') ends.push_back(index);
    }
    const auto end = std::partition_point(
        ends.begin(), ends.end(), [text](size_t end) { return !breaks_assertion(text.substr(0, end + 1)); });
    return static_cast<uint32_t>(end - ends.begin()) + 1;
}

}  // namespace

bool imgrec_toml_read(
    const char *text, size_t text_bytes, void (*take)(void *context, const imgrec_toml_event *event),
    void *context, imgrec_toml_place *place, char *message, size_t message_bytes) {
    if (const uint32_t line = line_of_long_name(std::string_view(text, text_bytes))) {
        *place = {line, 1};
        snprintf(message, message_bytes, "a name here has more than %d dots", most_dots);
        return false;
    }
    try {
        const toml::table table = toml::parse(std::string_view(text, text_bytes));
        visit_entries(table, Visitor{take, context});
        return true;
    } catch (const toml::parse_error &error) {
        *place = place_of(error.source());
        const std::string_view description = error.description();
        snprintf(message, message_bytes, "%.*s", static_cast<int>(description.size()), description.data());
    } catch (const BrokenAssertion &) {
        *place = {line_of_broken_assertion(std::string_view(text, text_bytes)), 1};
        snprintf(message, message_bytes, "a name here needs quotation marks, or is missing");
    } catch (const TooDeep &error) {
        *place = error.place;
        snprintf(message, message_bytes, "tables and lists are nested more than %d deep here", deepest);
    } catch (const std::exception &error) {
        *place = {1, 1};
        snprintf(message, message_bytes, "%s", error.what());
    }
    return false;
}
