/// What is wrong with a TOML file, where, and what would be right.
package enum TOMLError: Error, Hashable, CustomStringConvertible {
    case syntax(file: String, line: Int, column: Int, message: String)
    case unknownKey(file: String, line: Int?, key: String, nearest: String)
    case wrongValue(file: String, line: Int?, key: String, expected: String, found: String)
    /// The line is that of the table that it is to be in, where the file has one.
    case missing(file: String, line: Int?, key: String)

    package var description: String { remedy.map { "\(sentence). \($0)" } ?? sentence }

    /// Where and what is wrong, and what is expected; without a full stop.
    package var sentence: String {
        switch self {
        case .syntax(let file, let line, let column, let message):
            "\(file):\(line):\(column): this is not TOML: \(message)"
        case .unknownKey(let file, let line, let key, _):
            "\(Self.place(file, line)): unknown key \(key)"
        case .wrongValue(let file, let line, let key, let expected, let found):
            "\(Self.place(file, line)): \(key) must be \(expected), not \(found)"
        case .missing(let file, let line, let key):
            "\(Self.place(file, line)): \(key) is missing and has no default"
        }
    }

    /// What to do, as a whole sentence; nil where the sentence says it.
    package var remedy: String? {
        switch self {
        case .unknownKey(_, _, _, let nearest): "Did you mean \(nearest)?"
        case .missing: "Add it."
        case .syntax, .wrongValue: nil
        }
    }

    /// A place as errors name it: `shop.toml:7`.
    package static func place(_ file: String, _ line: Int?) -> String {
        line.map { "\(file):\($0)" } ?? file
    }
}
