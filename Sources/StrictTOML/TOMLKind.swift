/// What may stand after a key.
package enum TOMLKind: Hashable, Sendable {
    case string
    case boolean
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case strings
    case numbers(count: ClosedRange<Int>)
    /// One of a few words.
    case choice([String])
    /// Any of a few words.
    case choices([String])
}

extension TOMLKind: CustomStringConvertible {
    package var description: String {
        func quoted(_ words: [String], _ conjunction: String) -> String {
            words.map { "\"\($0)\"" }.joined(separator: " \(conjunction) ")
        }
        return switch self {
        case .string: "text in quotes"
        case .boolean: "true or false"
        case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
        case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
        case .strings: "a list of texts"
        case .numbers(let count):
            count.lowerBound == count.upperBound
                ? "a list of \(count.lowerBound) numbers"
                : "a list of \(count.lowerBound) to \(count.upperBound) numbers"
        case .choice(let words): quoted(words, "or")
        case .choices(let words): "a list of \(quoted(words, "and"))"
        }
    }
}

/// What stands after a key, of the kind that the key has.
package enum TOMLValue: Hashable, Sendable {
    case string(String)
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case strings([String])
    case numbers([Double])
}

extension TOMLValue {
    /// As TOML writes it.
    package var literal: String {
        switch self {
        case .string(let text): TOMLText.quoted(text)
        case .boolean(let value): "\(value)"
        case .integer(let value): TOMLText.grouped(value)
        case .number(let value): "\(value)"
        case .strings(let texts): TOMLText.list(texts.map(TOMLText.quoted))
        case .numbers(let values): TOMLText.list(values.map { "\($0)" })
        }
    }
}

extension TOMLValue: Encodable {
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .string(let text): try container.encode(text)
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .strings(let texts): try container.encode(texts)
        case .numbers(let values): try container.encode(values)
        }
    }
}

extension TOMLKind {
    /// Nil where the value is of another kind or out of its range.
    func read(_ node: TOMLNode) -> TOMLValue? {
        switch (self, node.value) {
        case (.string, .string(let text)): return .string(text)
        case (.boolean, .boolean(let value)): return .boolean(value)
        case (.integer(let range), .integer(let value)): return range.contains(value) ? .integer(value) : nil
        case (.number(let range), _):
            return Self.number(node).flatMap { range.contains($0) ? .number($0) : nil }
        case (.strings, .array(let nodes)): return Self.texts(nodes).map(TOMLValue.strings)
        case (.numbers(let count), .array(let nodes)):
            let numbers = nodes.compactMap(Self.number)
            let isList = nodes.count == numbers.count && count.contains(numbers.count)
            return isList && numbers.allSatisfy(\.isFinite) ? .numbers(numbers) : nil
        case (.choice(let words), .string(let text)): return words.contains(text) ? .string(text) : nil
        case (.choices(let words), .array(let nodes)):
            return Self.texts(nodes).flatMap { Set($0).isSubset(of: words) ? .strings($0) : nil }
        default: return nil
        }
    }

    private static func number(_ node: TOMLNode) -> Double? {
        switch node.value {
        case .number(let value): value
        case .integer(let value): Double(value)
        default: nil
        }
    }

    private static func texts(_ nodes: [TOMLNode]) -> [String]? {
        var texts: [String] = []
        for node in nodes {
            guard case .string(let text) = node.value else { return nil }
            texts.append(text)
        }
        return texts
    }
}
