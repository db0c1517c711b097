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

void visit(const toml::node &node, const toml::key *key, const Visitor &visitor);

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

void visit(const toml::node &node, const toml::key *key, const Visitor &visitor) {
    imgrec_toml_event event = {};
    event.place = place_of(key ? key->source() : node.source());
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
        ends.begin(), ends.end(), [text](size_t end) { return !breaks_assertion(text.substr(0, end)); });
    return static_cast<uint32_t>(end - ends.begin()) + 1;
}

}  // namespace

bool imgrec_toml_read(
    const char *text, size_t text_bytes, void (*take)(void *context, const imgrec_toml_event *event),
    void *context, imgrec_toml_place *place, char *message, size_t message_bytes) {
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
    } catch (const std::exception &error) {
        *place = {1, 1};
        snprintf(message, message_bytes, "%s", error.what());
    }
    return false;
}
