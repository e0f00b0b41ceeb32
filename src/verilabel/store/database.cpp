#include "verilabel/store/database.h"

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "verilabel/base/error.h"

namespace verilabel::store {
namespace {

constexpr std::chrono::seconds kLongestWait{30};

[[noreturn]] void throw_database_error(sqlite3* connection, int result) {
  const int system_errno = connection != nullptr ? sqlite3_system_errno(connection) : 0;
  const std::string reason = connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(result);
  const char* file = connection != nullptr ? sqlite3_db_filename(connection, "main") : nullptr;
  ErrorContext context;
  if (file != nullptr && *file != '\0') {
    context.emplace_back("file", file);
  }
  const bool is_full = system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG;
  switch ((result & 0xFF) == SQLITE_IOERR && is_full ? SQLITE_FULL : result & 0xFF) {
    case SQLITE_FULL:
      throw Error(ErrorCode::io, "the disk is full: this step was not stored, what was stored before stays; make room and repeat",
                  context);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorCode::conflict, "another process is writing to the project and did not finish in time; try again", context);
    case SQLITE_READONLY:
      throw Error(ErrorCode::io, "the project cannot be written: the file or its folder is read-only", context);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_IOERR:
      throw Error(ErrorCode::io, fmt::format("the database cannot be read or written: {}", reason), context);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Error(
          ErrorCode::bad_data,
          fmt::format("the project's database is damaged: {}; restore a copy, or save what can be read with sqlite3's .recover",
                      reason),
          context);
    case SQLITE_NOMEM:
      throw Error(ErrorCode::io, "the machine has not enough free memory", context);
    default:
      throw Error(ErrorCode::internal, fmt::format("the database refused: {}", reason), context);
  }
}

void check(sqlite3* connection, int result) {
  if (result != SQLITE_OK) {
    throw_database_error(connection, result);
  }
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* connection, std::string_view sql) : connection_(connection) {
  sqlite3_stmt* statement = nullptr;
  check(connection,
        sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr));
  statement_.reset(statement);
}

bool Statement::step() {
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) {
    return true;
  }
  if (result != SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    throw_database_error(connection_, result);
  }
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return bytes == nullptr ? std::string_view{}
                          : std::string_view(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

std::span<const std::byte> Statement::blob(int column) const {
  const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_.get(), column));
  return {bytes, bytes == nullptr ? 0 : static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Statement::bind_one(int index, std::int64_t value) {
  check(connection_, sqlite3_bind_int64(statement_.get(), index, value));
}
void Statement::bind_one(int index, double value) {
  check(connection_, sqlite3_bind_double(statement_.get(), index, value));
}
void Statement::bind_one(int index, std::nullptr_t) {
  check(connection_, sqlite3_bind_null(statement_.get(), index));
}

// Bound without a copy: every statement here runs before what it is given goes away.
void Statement::bind_one(int index, std::string_view value) {
  const char* bytes = value.data() == nullptr ? "" : value.data();
  check(connection_, sqlite3_bind_text64(statement_.get(), index, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind_one(int index, std::span<const std::byte> value) {
  check(connection_, value.empty() ? sqlite3_bind_zeroblob(statement_.get(), index, 0)
                                   : sqlite3_bind_blob64(statement_.get(), index, value.data(), value.size(), SQLITE_STATIC));
}

namespace {

/// Looks every millisecond: SQLite's own handler looks ten times a second, and would miss the moments between the transactions of a
/// long import.
int wait_for_turn(void*, int looked_before) {
  thread_local std::chrono::steady_clock::time_point since;
  const auto now = std::chrono::steady_clock::now();
  if (looked_before == 0) {
    since = now;
  }
  if (now - since > kLongestWait) {
    return 0;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return 1;
}

}  // namespace

void Database::Close::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

Database::Database(const std::filesystem::path& path, Mode mode) : is_read_only_(mode == Mode::read_only) {
  const auto open = [&](const std::string& name, int flags) {
    sqlite3* connection = nullptr;
    const int result = sqlite3_open_v2(name.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    connection_.reset(connection);
    check(connection, result);
    sqlite3_busy_handler(connection, &wait_for_turn, nullptr);
  };
  if (mode == Mode::create) {
    open(path.native(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  } else if (mode == Mode::read_write) {
    open(path.native(), SQLITE_OPEN_READWRITE);
  } else {
    open(path.native(), SQLITE_OPEN_READONLY);
    try {
      execute("SELECT count(*) FROM sqlite_schema");
    } catch (const Error& error) {
      // A write-ahead log needs files beside the database. Where they cannot be made nobody writes either, and without a log of
      // earlier writes the database file alone is the whole truth.
      std::error_code has_no_log;
      const auto log_bytes = std::filesystem::file_size(path.native() + "-wal", has_no_log);
      if (error.code() != ErrorCode::io || (!has_no_log && log_bytes > 0)) {
        throw;
      }
      const std::filesystem::path absolute = std::filesystem::absolute(path);
      std::string uri = "file:";
      for (const char c : absolute.native()) {
        uri += c == '%' || c == '?' || c == '#' ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
      }
      open(uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    }
  }
}

void Database::execute(const std::string& sql) {
  check(connection_.get(), sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr));
}

void Database::execute_unheard(const std::string& sql) noexcept {
  sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
}

void Database::roll_back() noexcept {
  // After some errors (a full disk) SQLite has rolled back already.
  if (is_in_transaction()) {
    execute_unheard("ROLLBACK");
  }
}

bool Database::is_in_transaction() const {
  return sqlite3_get_autocommit(connection_.get()) == 0;
}
std::int64_t Database::last_id() const {
  return sqlite3_last_insert_rowid(connection_.get());
}
std::int64_t Database::changed_rows() const {
  return sqlite3_changes64(connection_.get());
}

PragmaScope::PragmaScope(Database& database, std::string_view inside, std::string_view afterwards)
    : database_(database), afterwards_(fmt::format("PRAGMA {}", afterwards)) {
  database_.execute(fmt::format("PRAGMA {}", inside));
}

// Switching a setting needs neither disk nor lock, so it does not fail.
PragmaScope::~PragmaScope() {
  database_.execute_unheard(afterwards_);
}

Transaction::Transaction(Database& database, Kind kind) : database_(database) {
  if (kind == Kind::read && database_.is_in_transaction()) {
    is_open_ = false;  // part of the one that is open
    return;
  }
  database_.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  if (is_open_) {
    database_.roll_back();
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  is_open_ = false;
}

}  // namespace verilabel::store
