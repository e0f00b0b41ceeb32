#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

// The only place that talks to SQLite; private to the module.
namespace verilabel::store {

/// A prepared statement. Values are bound from 1 in the order given, columns are read from 0.
class Statement {
 public:
  Statement(sqlite3* connection, std::string_view sql);

  template <typename... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }
  /// True while there is a row.
  bool step();
  /// Runs to the end and gets ready for the next values.
  void run();
  template <typename... Values>
  void run_with(const Values&... values) {
    bind(values...).run();
  }

  std::int64_t integer(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;  ///< valid until the next step
  std::span<const std::byte> blob(int column) const;
  bool is_null(int column) const;
  std::optional<double> maybe_real(int column) const { return is_null(column) ? std::nullopt : std::optional(real(column)); }
  void reset();

 private:
  void bind_one(int index, std::int64_t value);
  void bind_one(int index, int value) { bind_one(index, static_cast<std::int64_t>(value)); }
  void bind_one(int index, bool value) { bind_one(index, static_cast<std::int64_t>(value)); }
  void bind_one(int index, double value);
  void bind_one(int index, std::string_view value);
  void bind_one(int index, const std::string& value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, const char* value) { bind_one(index, std::string_view(value)); }
  void bind_one(int index, std::span<const std::byte> value);
  void bind_one(int index, std::nullptr_t);
  template <typename T>
  void bind_one(int index, const std::optional<T>& value) {
    value ? bind_one(index, *value) : bind_one(index, nullptr);
  }

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  sqlite3* connection_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Frees a statement that is used again and again when its reader leaves, so that it holds no lock and no bound text.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;
  ~ResetAtEnd() { statement_.reset(); }

 private:
  Statement& statement_;
};

/// A connection, for one thread at a time.
class Database {
 public:
  enum class Mode : std::uint8_t { create, read_write, read_only };
  /// Throws `not_found`, `io`, `bad_data` when the file is no database.
  Database(const std::filesystem::path& path, Mode mode);

  void execute(const std::string& sql);
  Statement prepare(std::string_view sql) const { return {connection_.get(), sql}; }
  std::int64_t last_id() const;
  std::int64_t changed_rows() const;
  bool is_read_only() const { return is_read_only_; }
  bool is_in_transaction() const;

 private:
  friend class PragmaScope;
  friend class Transaction;
  void execute_unheard(const std::string& sql) noexcept;
  void roll_back() noexcept;

  struct Close {
    void operator()(sqlite3* connection) const;
  };
  std::unique_ptr<sqlite3, Close> connection_;
  bool is_read_only_ = false;
};

/// A setting of the connection for as long as this lives; both texts are what PRAGMA takes. Not to be made within a transaction,
/// where SQLite does not listen.
class PragmaScope {
 public:
  PragmaScope(Database& database, std::string_view inside, std::string_view afterwards);
  PragmaScope(const PragmaScope&) = delete;
  PragmaScope& operator=(const PragmaScope&) = delete;
  ~PragmaScope();

 private:
  Database& database_;
  std::string afterwards_;
};

/// All or nothing: rolled back unless committed. `write` takes the writer's lock at once, waiting for others. `read` sees one state
/// of the database, that of its first read; within another transaction it is a part of that.
class Transaction {
 public:
  enum class Kind : std::uint8_t { read, write };
  Transaction(Database& database, Kind kind);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool is_open_ = true;
};

}  // namespace verilabel::store
