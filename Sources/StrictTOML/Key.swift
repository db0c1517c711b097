/// What has to be done again when a value changes. What the bits mean is the file's own affair.
package struct KeyEffects: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }
}

/// All that is said of a key, once: where its property stands.
package struct KeyDefinition: Hashable, Sendable {
    package let name: String
    package let kind: TOMLKind
    /// What the value must be, in words.
    package let expected: String
    package let isRequired: Bool
    /// The default, or an example of a value that is required; nil where there is none by default.
    package let standard: TOMLValue?
    /// What has to be done again when the value changes.
    package let effects: KeyEffects
    package let explanation: String
}

/// A key of a TOML file: the property's value is what stands after it, or the default.
///
///     @Key("max_pixels", .integer(1...1_000_000), "A photo with more pixels is not decoded.")
///     package var maxPixels = 100_000
@propertyWrapper
package struct Key<Value: Hashable & Sendable>: Sendable {
    package let definition: KeyDefinition
    /// The table that it stands in, as errors name it; empty outside of all.
    package let table: String
    /// Where the value stands in the file; nil for a default, and for what the program has put there.
    package private(set) var place: TOMLPlace?
    private let form: ValueForm<Value>

    package var wrappedValue: Value { didSet { place = nil } }
    package var projectedValue: Self { self }

    /// - Parameters:
    ///   - wrappedValue: the default.
    ///   - effects: what has to be done again when the value changes.
    ///   - explanation: what it does, in whole sentences.
    package init(
        wrappedValue: Value, _ name: String, _ form: ValueForm<Value>, redoes effects: KeyEffects = [],
        _ explanation: String
    ) {
        self.init(
            wrappedValue, form,
            KeyDefinition(
                name: name, kind: form.kind, expected: form.expected, isRequired: false,
                standard: form.write(wrappedValue), effects: effects, explanation: explanation))
    }

    /// A key that the file must have.
    ///
    /// - Parameter example: a value for pages and for the commented file.
    package init(
        required name: String, _ form: ValueForm<Value>, example: Value, redoes effects: KeyEffects = [],
        _ explanation: String
    ) {
        self.init(
            example, form,
            KeyDefinition(
                name: name, kind: form.kind, expected: form.expected, isRequired: true,
                standard: form.write(example), effects: effects, explanation: explanation))
    }

    private init(_ standard: Value, _ form: ValueForm<Value>, _ definition: KeyDefinition) {
        (self.form, self.definition) = (form, definition)
        let reading = TOMLReading.current
        table = reading?.name ?? ""
        let found = reading?.value(of: definition, form)
        wrappedValue = found?.value ?? standard
        place = found?.place
    }
}

extension Key: Hashable {
    package static func == (left: Self, right: Self) -> Bool { left.wrappedValue == right.wrappedValue }
    package func hash(into hasher: inout Hasher) { hasher.combine(wrappedValue) }
}

/// A key with its value, whatever the type of that is.
package protocol TOMLKeyValue {
    var definition: KeyDefinition { get }
    /// The table that it stands in; empty outside of all.
    var table: String { get }
    /// Where the value stands in the file; nil for a default, and for what the program has put there.
    var place: TOMLPlace? { get }
    /// The value as a file has it; nil where there is none.
    var value: TOMLValue? { get }
}

extension TOMLKeyValue {
    /// With the table: `images.max_pixels`.
    package var dotted: String { table.isEmpty ? definition.name : "\(table).\(definition.name)" }
}

extension Key: TOMLKeyValue {
    package var value: TOMLValue? { form.write(wrappedValue) }
}
