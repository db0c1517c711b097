import CTOMLPlusPlus

/// Where something stands in a file; lines and columns count from 1.
package struct TOMLPlace: Hashable, Sendable {
    package let line: Int
    package let column: Int
}

/// A value as it stands in a file.
struct TOMLNode: Sendable {
    indirect enum Value: Sendable {
        case string(String)
        case boolean(Bool)
        case integer(Int)
        case number(Double)
        /// A date, a time or both.
        case date
        case array([TOMLNode])
        case table([(name: String, node: TOMLNode)])
    }

    let value: Value
    /// Of its key, or its own in a list.
    let place: TOMLPlace?

    /// What is in the outermost table.
    static func parse(_ text: String, file: String) throws(TOMLError) -> [(name: String, node: TOMLNode)] {
        let builder = Builder()
        var text = text
        var place = imgrec_toml_place()
        let failure = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { message -> String? in
            let isTOML = text.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { bytes in
                    imgrec_toml_read(
                        bytes.baseAddress, bytes.count,
                        { context, event in
                            guard let context, let event else { return }
                            Unmanaged<Builder>.fromOpaque(context).takeUnretainedValue().take(event.pointee)
                        }, Unmanaged.passUnretained(builder).toOpaque(), &place, message.baseAddress,
                        message.count)
                }
            }
            return isTOML ? nil : message.baseAddress.map { String(cString: $0) } ?? ""
        }
        if let failure {
            throw .syntax(file: file, line: Int(place.line), column: Int(place.column), message: failure)
        }
        return builder.entries
    }

    /// In words, for errors.
    var description: String {
        switch value {
        case .string(let text): "the text \"\(text)\""
        case .boolean(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .number(let value): "\(value)"
        case .date: "a date or time"
        case .array(let nodes): "a list of \(nodes.count)"
        case .table: "a table"
        }
    }
}

extension TOMLNode {
    /// Makes a tree of what toml++ hands over.
    private final class Builder {
        private struct Level {
            let name: String
            let place: TOMLPlace?
            let isTable: Bool
            var entries: [(name: String, node: TOMLNode)] = []
        }

        private var levels = [Level(name: "", place: nil, isTable: true)]

        var entries: [(name: String, node: TOMLNode)] { levels[0].entries }

        func take(_ event: imgrec_toml_event) {
            let name = Self.text(event.key, event.key_bytes)
            let place =
                event.place.line == 0
                ? nil : TOMLPlace(line: Int(event.place.line), column: Int(event.place.column))
            func add(_ value: Value) {
                levels[levels.count - 1].entries.append((name, TOMLNode(value: value, place: place)))
            }
            switch event.kind {
            case IMGREC_TOML_TABLE: levels.append(Level(name: name, place: place, isTable: true))
            case IMGREC_TOML_ARRAY: levels.append(Level(name: name, place: place, isTable: false))
            case IMGREC_TOML_END:
                let level = levels.removeLast()
                let value: Value =
                    level.isTable ? .table(level.entries) : .array(level.entries.map(\.node))
                levels[levels.count - 1].entries.append(
                    (level.name, TOMLNode(value: value, place: level.place)))
            case IMGREC_TOML_STRING: add(.string(Self.text(event.text, event.text_bytes)))
            case IMGREC_TOML_INTEGER: add(.integer(Int(event.integer)))
            case IMGREC_TOML_NUMBER: add(.number(event.number))
            case IMGREC_TOML_BOOLEAN: add(.boolean(event.boolean))
            default: add(.date)
            }
        }

        private static func text(_ bytes: UnsafePointer<CChar>?, _ count: Int) -> String {
            guard let bytes else { return "" }
            return String(
                decoding: UnsafeRawBufferPointer(start: bytes, count: count), as: UTF8.self)
        }
    }
}
