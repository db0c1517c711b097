// StrictTOML: a TOML file in, checked values out. Settings and model manifests are read through it.
//
// A key that is not in the schema, a value of another type or out of its range is an error that names the
// file, the line and, for a key, the nearest one that exists. TOMLKit does the parsing; it keeps no
// positions of keys, so the line is found again in the text.

import TOMLKit

/// One key that a file may have.
package struct TOMLKey: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        case string
        case boolean
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case strings
        case numbers(count: ClosedRange<Int>)
        /// One of a few words.
        case choice([String])
    }

    package let table: String
    package let name: String
    package let kind: Kind
    package let isRequired: Bool

    package init(_ table: String, _ name: String, _ kind: Kind, isRequired: Bool = false) {
        self.table = table
        self.name = name
        self.kind = kind
        self.isRequired = isRequired
    }

    package var dotted: String { "\(table).\(name)" }
}

/// The values of one file, each present at most once and of the type its key asks for.
package struct TOMLDocument: Sendable {
    private let values: [String: Value]

    private enum Value: Sendable {
        case string(String)
        case boolean(Bool)
        case integer(Int)
        case number(Double)
        case strings([String])
        case numbers([Double])
    }

    /// Parses and checks a whole file.
    ///
    /// - Parameter file: its name, for errors.
    /// - Throws: the first error in the order of the schema; unknown keys come before wrong values.
    package init(_ text: String, file: String, schema: [TOMLKey]) throws(TOMLError) {
        let table: TOMLTable
        do {
            table = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            throw .syntax(
                file: file, line: error.source.begin.line, column: error.source.begin.column,
                message: error.description)
        } catch {
            throw .syntax(file: file, line: 1, column: 1, message: "\(error)")
        }
        let lines = TOMLLines(text)
        try Self.rejectUnknownKeys(of: table, schema: schema, file: file, lines: lines)

        var values: [String: Value] = [:]
        for key in schema {
            guard let value = table[key.table]?.table?[key.name] else {
                if key.isRequired { throw .missing(file: file, key: key.dotted) }
                continue
            }
            guard let read = Self.read(value, as: key.kind) else {
                throw .wrongValue(
                    file: file, line: lines.line(of: key.name, in: key.table), key: key.dotted,
                    expected: key.kind.description, found: Self.describe(value))
            }
            values[key.dotted] = read
        }
        self.values = values
    }

    package func string(_ table: String, _ name: String) -> String? {
        if case .string(let value) = values["\(table).\(name)"] { value } else { nil }
    }

    package func boolean(_ table: String, _ name: String) -> Bool? {
        if case .boolean(let value) = values["\(table).\(name)"] { value } else { nil }
    }

    package func integer(_ table: String, _ name: String) -> Int? {
        if case .integer(let value) = values["\(table).\(name)"] { value } else { nil }
    }

    package func number(_ table: String, _ name: String) -> Double? {
        if case .number(let value) = values["\(table).\(name)"] { value } else { nil }
    }

    package func strings(_ table: String, _ name: String) -> [String]? {
        if case .strings(let value) = values["\(table).\(name)"] { value } else { nil }
    }

    package func numbers(_ table: String, _ name: String) -> [Double]? {
        if case .numbers(let value) = values["\(table).\(name)"] { value } else { nil }
    }

    // MARK: Checking

    private static func rejectUnknownKeys(
        of document: TOMLTable, schema: [TOMLKey], file: String, lines: TOMLLines
    ) throws(TOMLError) {
        let tables = Set(schema.map(\.table))
        for table in document.keys.sorted() {
            guard tables.contains(table) else {
                // A key outside any table, or in a table that is misspelt: the nearest may be either.
                let candidates = tables.map { "[\($0)]" } + schema.map(\.dotted)
                let name = document[table]?.table == nil ? table : "[\(table)]"
                throw .unknownKey(
                    file: file, line: lines.line(ofTableOrKey: table), key: name,
                    nearest: nearest(to: name, among: candidates))
            }
            guard let content = document[table]?.table else {
                throw .wrongValue(
                    file: file, line: lines.line(ofTableOrKey: table), key: table,
                    expected: "a table, written [\(table)]", found: describe(document[table]))
            }
            let names = schema.filter { $0.table == table }.map(\.name)
            for name in content.keys.sorted() where !names.contains(name) {
                let elsewhere = schema.first { $0.name == name }?.dotted
                throw .unknownKey(
                    file: file, line: lines.line(of: name, in: table), key: "\(table).\(name)",
                    nearest: elsewhere ?? "\(table).\(nearest(to: name, among: names))")
            }
        }
    }

    private static func read(_ value: TOMLValueConvertible, as kind: TOMLKey.Kind) -> Value? {
        switch kind {
        case .string:
            return value.string.map(Value.string)
        case .boolean:
            return value.bool.map(Value.boolean)
        case .integer(let range):
            return value.int.flatMap { range.contains($0) ? .integer($0) : nil }
        case .number(let range):
            return number(value).flatMap { range.contains($0) ? .number($0) : nil }
        case .strings:
            guard let array = value.array else { return nil }
            let strings = array.compactMap { $0.string }
            return strings.count == array.count ? .strings(strings) : nil
        case .numbers(let count):
            guard let array = value.array else { return nil }
            let numbers = array.compactMap(number)
            return array.count == numbers.count && count.contains(numbers.count) ? .numbers(numbers) : nil
        case .choice(let words):
            return value.string.flatMap { words.contains($0) ? .string($0) : nil }
        }
    }

    private static func number(_ value: TOMLValueConvertible) -> Double? {
        value.double ?? value.int.map(Double.init)
    }

    private static func describe(_ value: TOMLValueConvertible?) -> String {
        guard let value else { return "nothing" }
        if let string = value.string { return "the text \"\(string)\"" }
        if let integer = value.int { return "\(integer)" }
        if let double = value.double { return "\(double)" }
        if let bool = value.bool { return "\(bool)" }
        if let array = value.array { return "a list of \(array.count)" }
        return value.table == nil ? "a date or time" : "a table"
    }
}

extension TOMLKey.Kind: CustomStringConvertible {
    package var description: String {
        switch self {
        case .string: "text in quotes"
        case .boolean: "true or false"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .strings: "a list of texts"
        case .numbers(let count):
            count.lowerBound == count.upperBound
                ? "a list of \(count.lowerBound) numbers"
                : "a list of \(count.lowerBound) to \(count.upperBound) numbers"
        case .choice(let words): words.map { "\"\($0)\"" }.joined(separator: " or ")
        }
    }
}
