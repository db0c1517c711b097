/// What is wrong with a TOML file, where, and what would be right.
package enum TOMLError: Error, Hashable, CustomStringConvertible {
    case syntax(file: String, line: Int, column: Int, message: String)
    case unknownKey(file: String, line: Int?, key: String, nearest: String)
    case wrongValue(file: String, line: Int?, key: String, expected: String, found: String)
    case missing(file: String, key: String)

    package var description: String {
        switch self {
        case .syntax(let file, let line, let column, let message):
            "\(file):\(line):\(column): this is not TOML: \(message)"
        case .unknownKey(let file, let line, let key, let nearest):
            "\(Self.place(file, line)): unknown key \(key). Did you mean \(nearest)?"
        case .wrongValue(let file, let line, let key, let expected, let found):
            "\(Self.place(file, line)): \(key) must be \(expected), not \(found)."
        case .missing(let file, let key):
            "\(file): \(key) is missing and has no default. Add it."
        }
    }

    private static func place(_ file: String, _ line: Int?) -> String {
        line.map { "\(file):\($0)" } ?? file
    }
}
