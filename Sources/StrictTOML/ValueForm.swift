/// How values of a Swift type are written in TOML.
package struct ValueForm<Value: Hashable & Sendable>: Sendable {
    package let kind: TOMLKind
    /// What a value must be, in words.
    package let expected: String
    /// Makes a value of what stands in the file of this name.
    let read: @Sendable (TOMLValue, _ file: String) throws(ValueObjection) -> Value
    /// What stands in a file for a value; nil for one that cannot be written.
    package let write: @Sendable (Value) -> TOMLValue?

    /// - Parameter expected: what a value must be, where the kind does not say it all.
    package init(
        _ kind: TOMLKind, expected: String? = nil,
        read: @escaping @Sendable (TOMLValue, _ file: String) throws(ValueObjection) -> Value,
        write: @escaping @Sendable (Value) -> TOMLValue?
    ) {
        (self.kind, self.expected) = (kind, expected ?? kind.description)
        (self.read, self.write) = (read, write)
    }

    /// The same for values that are more than of a kind.
    ///
    /// - Parameters:
    ///   - expected: what a value must be, in words; nil for the same.
    ///   - check: gives the value that counts, or says why there is none.
    package func checked(
        expected: String? = nil, _ check: @escaping @Sendable (Value) throws(ValueObjection) -> Value
    ) -> Self {
        ValueForm(
            kind, expected: expected ?? self.expected,
            read: { value, file throws(ValueObjection) in try check(try read(value, file)) }, write: write)
    }
}

/// A value is of its key's kind and yet not what is expected.
package struct ValueObjection: Error {
    /// Why, where there is more to say than what is expected.
    let reason: String?

    package init(_ reason: String? = nil) { self.reason = reason }
}

// MARK: Simple types

extension ValueForm where Value == String {
    package static var text: Self {
        ValueForm(
            .string, read: { value, _ throws(ValueObjection) in try value.text }, write: TOMLValue.string)
    }
}

extension ValueForm where Value == Bool {
    package static var boolean: Self {
        ValueForm(
            .boolean,
            read: { value, _ throws(ValueObjection) in
                guard case .boolean(let value) = value else { throw ValueObjection() }
                return value
            }, write: TOMLValue.boolean)
    }
}

extension ValueForm where Value == Int {
    package static func integer(_ range: ClosedRange<Int>) -> Self {
        ValueForm(
            .integer(range), read: { value, _ throws(ValueObjection) in try value.integer },
            write: TOMLValue.integer)
    }
}

extension ValueForm where Value == Double {
    package static func number(_ range: ClosedRange<Double>) -> Self {
        ValueForm(
            .number(range),
            read: { value, _ throws(ValueObjection) in
                guard case .number(let value) = value else { throw ValueObjection() }
                return value
            }, write: TOMLValue.number)
    }
}

extension ValueForm where Value == Duration {
    package static func milliseconds(_ range: ClosedRange<Int>) -> Self {
        whole(range, of: .milliseconds(1))
    }
    package static func seconds(_ range: ClosedRange<Int>) -> Self { whole(range, of: .seconds(1)) }
    package static func minutes(_ range: ClosedRange<Int>) -> Self { whole(range, of: .seconds(60)) }

    private static func whole(_ range: ClosedRange<Int>, of unit: Duration) -> Self {
        ValueForm(
            .integer(range), read: { value, _ throws(ValueObjection) in try unit * value.integer },
            write: { .integer(Int($0 / unit)) })
    }
}

// MARK: Lists

extension ValueForm where Value == [String] {
    package static var texts: Self {
        ValueForm(
            .strings, read: { value, _ throws(ValueObjection) in try value.texts },
            write: TOMLValue.strings)
    }
}

extension ValueForm where Value == [Double] {
    package static func numbers(count: ClosedRange<Int>) -> Self {
        ValueForm(
            .numbers(count: count),
            read: { value, _ throws(ValueObjection) in
                guard case .numbers(let values) = value else { throw ValueObjection() }
                return values
            }, write: TOMLValue.numbers)
    }
}

// MARK: Words

extension ValueForm where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of the cases, by its raw value.
    package static var choice: Self {
        ValueForm(
            .choice(Value.allCases.map(\.rawValue)),
            read: { value, _ throws(ValueObjection) in
                guard let choice = Value(rawValue: try value.text) else { throw ValueObjection() }
                return choice
            }, write: { .string($0.rawValue) })
    }
}

extension ValueForm {
    /// Any of the cases, by their raw values.
    package static func choices<Choice>() -> Self
    where
        Value == Set<Choice>, Choice: RawRepresentable & CaseIterable & Hashable & Sendable,
        Choice.RawValue == String
    {
        ValueForm(
            .choices(Choice.allCases.map(\.rawValue)),
            read: { value, _ throws(ValueObjection) in Set(try value.texts.compactMap(Choice.init(rawValue:)))
            },
            write: { chosen in .strings(Choice.allCases.filter(chosen.contains).map(\.rawValue)) })
    }
}

/// A type whose values are written as text.
package protocol TextValue: Hashable, Sendable, CustomStringConvertible {
    /// What the text must be, in words.
    static var expected: String { get }
    init(tomlText: String) throws(ValueObjection)
}

extension ValueForm where Value: TextValue {
    package static var written: Self {
        ValueForm(
            .string, expected: Value.expected,
            read: { value, _ throws(ValueObjection) in try Value(tomlText: try value.text) },
            write: { .string($0.description) })
    }
}

extension ValueForm {
    /// A value that may be missing: there is no way to write nil, so it is a default only.
    package static func optional<Wrapped>(_ form: ValueForm<Wrapped>) -> Self where Value == Wrapped? {
        ValueForm(
            form.kind, expected: form.expected,
            read: { value, file throws(ValueObjection) in try form.read(value, file) },
            write: { $0.flatMap(form.write) })
    }
}

// MARK: Reading

extension TOMLValue {
    package var text: String {
        get throws(ValueObjection) {
            guard case .string(let text) = self else { throw ValueObjection() }
            return text
        }
    }

    var hasNUL: Bool {
        switch self {
        case .string(let text): text.utf8.contains(0)
        case .strings(let texts): texts.contains { $0.utf8.contains(0) }
        default: false
        }
    }

    fileprivate var integer: Int {
        get throws(ValueObjection) {
            guard case .integer(let value) = self else { throw ValueObjection() }
            return value
        }
    }

    package var texts: [String] {
        get throws(ValueObjection) {
            guard case .strings(let texts) = self else { throw ValueObjection() }
            return texts
        }
    }
}
