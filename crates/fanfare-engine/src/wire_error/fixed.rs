//! Errors whose words are always the same.

use super::WireError;

/// A value of another type.
pub const WRONG_TYPE: WireError =
    WireError::new("WRONGTYPE", "Operation against a key holding the wrong kind of value");
/// Words in the wrong place.
pub const SYNTAX: WireError = WireError::new("ERR", "syntax error");
/// Not a 64-bit integer.
pub const NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "value is not an integer or out of range");
/// Not a floating-point number.
pub const NOT_A_FLOAT: WireError = WireError::new("ERR", "value is not a valid float");
/// The counter would leave 64 bits.
pub const OVERFLOW: WireError = WireError::new("ERR", "increment or decrement would overflow");
/// `DECRBY` by a number that has no opposite.
pub const DECREMENT_OVERFLOW: WireError = WireError::new("ERR", "decrement would overflow");
/// The counter would leave the floats.
pub const NAN_OR_INFINITY: WireError =
    WireError::new("ERR", "increment would produce NaN or Infinity");
/// Not authenticated.
pub const NO_AUTH: WireError = WireError::new("NOAUTH", "Authentication required.");
/// Wrong password.
pub const WRONG_PASS: WireError =
    WireError::new("WRONGPASS", "invalid username-password pair or user is disabled.");
/// A password although none is set.
pub const NO_PASSWORD_SET: WireError = WireError::new(
    "ERR",
    "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
);
/// `EXEC` outside a transaction.
pub const EXEC_WITHOUT_MULTI: WireError = WireError::new("ERR", "EXEC without MULTI");
/// `DISCARD` outside a transaction.
pub const DISCARD_WITHOUT_MULTI: WireError = WireError::new("ERR", "DISCARD without MULTI");
/// `MULTI` inside a transaction.
pub const NESTED_MULTI: WireError = WireError::new("ERR", "MULTI calls can not be nested");
/// `WATCH` inside a transaction.
pub const WATCH_IN_MULTI: WireError = WireError::new("ERR", "WATCH inside MULTI is not allowed");
/// A command was refused while queueing.
pub const EXEC_ABORT: WireError =
    WireError::new("EXECABORT", "Transaction discarded because of previous errors.");
/// A command that can not be queued.
pub const NOT_IN_MULTI: WireError =
    WireError::new("ERR", "Command not allowed inside a transaction");
/// `HELLO` with a version that does not exist.
pub const NO_PROTO: WireError = WireError::new("NOPROTO", "unsupported protocol version");
/// `EXPIRE` with `NX` and another condition.
pub const EXPIRE_NX_AND_OTHERS: WireError =
    WireError::new("ERR", "NX and XX, GT or LT options at the same time are not compatible");
/// `EXPIRE` with `GT` and `LT`.
pub const EXPIRE_GT_AND_LT: WireError =
    WireError::new("ERR", "GT and LT options at the same time are not compatible");
/// `SSUBSCRIBE` inside a transaction.
pub const SSUBSCRIBE_IN_EXEC: WireError =
    WireError::new("ERR", "SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
/// No such database.
pub const DB_OUT_OF_RANGE: WireError = WireError::new("ERR", "DB index is out of range");
/// An index that does not even fit 32 bits.
pub const NOT_A_32_BIT_INTEGER: WireError =
    WireError::new("ERR", "value is out of range, value must between -2147483648 and 2147483647");
/// `HELLO` with a version that is no number.
pub const PROTO_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "Protocol version is not an integer or out of range");
/// `HELLO` without credentials where they are needed.
pub const HELLO_NO_AUTH: WireError = WireError::new(
    "NOAUTH",
    "HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);
/// A client's name that would break the lines of `CLIENT LIST`.
pub const BAD_CLIENT_NAME: WireError =
    WireError::new("ERR", "Client names cannot contain spaces, newlines or special characters.");
/// `CLIENT LIST ID` with something that is no number.
pub const INVALID_CLIENT_ID: WireError = WireError::new("ERR", "Invalid client ID");
/// `CLIENT KILL ID` with something that can not be an id.
pub const CLIENT_ID_NOT_POSITIVE: WireError =
    WireError::new("ERR", "client-id should be greater than 0");
/// `CLIENT KILL MAXAGE` with something that is no number.
pub const MAXAGE_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "maxage is not an integer or out of range");
/// `CLIENT KILL MAXAGE` with no age.
pub const MAXAGE_NOT_POSITIVE: WireError = WireError::new("ERR", "maxage should be greater than 0");
/// `CLIENT KILL` of an address that nobody has.
pub const NO_SUCH_CLIENT: WireError = WireError::new("ERR", "No such client");
/// A timeout that is no number.
pub const TIMEOUT_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "timeout is not an integer or out of range");
/// A timeout before now.
pub const TIMEOUT_NEGATIVE: WireError = WireError::new("ERR", "timeout is negative");
/// `CLIENT PAUSE` with a mode that does not exist.
pub const BAD_PAUSE_MODE: WireError =
    WireError::new("ERR", "CLIENT PAUSE mode must be WRITE or ALL");
/// `COMMAND GETKEYS` of something that is no command.
pub const INVALID_COMMAND: WireError = WireError::new("ERR", "Invalid command specified");
/// `COMMAND GETKEYS` of a command without keys.
pub const NO_KEY_ARGUMENTS: WireError = WireError::new("ERR", "The command has no key arguments");
/// `COMMAND GETKEYS` of a command with too few or too many arguments.
pub const INVALID_NUMBER_OF_ARGUMENTS: WireError =
    WireError::new("ERR", "Invalid number of arguments specified for command");
/// `COMMAND GETKEYS` of a request whose keys can not be told.
pub const INVALID_ARGUMENTS: WireError =
    WireError::new("ERR", "Invalid arguments specified for command");
/// `MONITOR` inside a transaction.
pub const MONITOR_IN_EXEC: WireError =
    WireError::new("ERR", "MONITOR isn't allowed for DENY BLOCKING client");
/// A command on keys from a client that monitors.
pub const MONITOR_AND_KEYSPACE: WireError =
    WireError::new("ERR", "Replica can't interact with the keyspace");
/// `SHUTDOWN ABORT` without a shutdown.
pub const NO_SHUTDOWN: WireError = WireError::new("ERR", "No shutdown in progress.");
/// `SLOWLOG GET` with an impossible count.
pub const SLOWLOG_COUNT: WireError =
    WireError::new("ERR", "count should be greater than or equal to -1");
/// `DEBUG` where it is not allowed.
pub const DEBUG_NOT_ALLOWED: WireError = WireError::new(
    "ERR",
    "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);
/// `DEBUG PROTOCOL` with a type that does not exist.
pub const BAD_PROTOCOL_TYPE: WireError = WireError::new(
    "ERR",
    "Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
/// Something that only RESP3 can say.
pub const RESP2_NOT_SUPPORTED: WireError =
    WireError::new("ERR", "RESP2 is not supported by this command");
/// A script that is not known.
pub const NO_SCRIPT: WireError = WireError::new("NOSCRIPT", "No matching script. Please use EVAL.");
/// `EVAL` with more keys than arguments.
pub const TOO_MANY_KEYS: WireError =
    WireError::new("ERR", "Number of keys can't be greater than number of args");
/// `EVAL` with fewer than no keys.
pub const NEGATIVE_KEYS: WireError = WireError::new("ERR", "Number of keys can't be negative");
/// `FCALL` with something that is no number of keys.
pub const BAD_NUMBER_OF_KEYS: WireError = WireError::new("ERR", "Bad number of keys provided");
/// A script runs for too long.
pub const BUSY_SCRIPT: WireError = WireError::new(
    "BUSY",
    "Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
);
/// A function runs for too long.
pub const BUSY_FUNCTION: WireError = WireError::new(
    "BUSY",
    "Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.",
);
/// `SCRIPT KILL` without a script.
pub const NOT_BUSY: WireError = WireError::new("NOTBUSY", "No scripts in execution right now.");
/// `SCRIPT KILL` of a script that has written.
pub const UNKILLABLE: WireError = WireError::new(
    "UNKILLABLE",
    "Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
);
/// A script calls a command that does not exist.
pub const UNKNOWN_FROM_SCRIPT: WireError =
    WireError::new("ERR", "Unknown Redis command called from script");
/// A script calls a command with too few or too many arguments.
pub const ARITY_FROM_SCRIPT: WireError =
    WireError::new("ERR", "Wrong number of args calling Redis command from script");
/// A script calls a command that scripts must not.
pub const NOT_FROM_SCRIPT: WireError =
    WireError::new("ERR", "This Redis command is not allowed from script");
/// What a script's last command answers if it panicked; nobody sees it but the script.
pub const PANIC_IN_SCRIPT: WireError =
    WireError::new("ERR", "internal error in a script's command");
/// A script that only reads writes.
pub const WRITE_FROM_READ_ONLY: WireError =
    WireError::new("ERR", "Write commands are not allowed from read-only scripts.");
/// `EVAL_RO` of a script that says that it writes.
pub const WRITER_IN_READ_ONLY: WireError =
    WireError::new("ERR", "Can not execute a script with write flag using *_ro command.");
/// Memory is full.
pub const OOM: WireError =
    WireError::new("OOM", "command not allowed when used memory > 'maxmemory'.");
/// Memory is full, and the script does not say that it may run then.
pub const OOM_SCRIPT: WireError = WireError::new(
    "OOM",
    "allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
);
/// There is no memory for an interpreter.
pub const NO_INTERPRETER: WireError =
    WireError::new("ERR", "failed to start a Lua interpreter: there is no memory for it");
/// `SCRIPT FLUSH` with a mode that does not exist.
pub const SCRIPT_FLUSH_MODE: WireError =
    WireError::new("ERR", "SCRIPT FLUSH only support SYNC|ASYNC option");
/// `SCRIPT DEBUG` in any mode but NO.
pub const NO_SCRIPT_DEBUGGER: WireError = WireError::new(
    "ERR",
    "Fanfare has no script debugger: run the script on redis-server with SCRIPT DEBUG, or use redis.log",
);
/// `SCRIPT DEBUG` with a mode that does not exist.
pub const SCRIPT_DEBUG_MODE: WireError = WireError::new("ERR", "Use SCRIPT DEBUG YES/SYNC/NO");
/// `FUNCTION FLUSH` with a mode that does not exist.
pub const FUNCTION_FLUSH_MODE: WireError =
    WireError::new("ERR", "FUNCTION FLUSH only supports SYNC|ASYNC option");
/// `FUNCTION LIST LIBRARYNAME` without the name.
pub const NO_LIBRARY_NAME: WireError = WireError::new("ERR", "library name argument was not given");
/// `FUNCTION RESTORE` with a policy that does not exist.
pub const RESTORE_POLICY: WireError = WireError::new(
    "ERR",
    "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
);
/// A payload that was not made by `DUMP`, or by a newer version.
pub const DUMP_PAYLOAD: WireError =
    WireError::new("ERR", "DUMP payload version or checksum are wrong");
/// A payload of functions that ends too early.
pub const DUMP_READ: WireError = WireError::new("ERR", "failed loading functions");
/// A payload that holds something other than functions.
pub const NOT_A_FUNCTION: WireError = WireError::new("ERR", "given type is not a function");
/// No such function.
pub const FUNCTION_NOT_FOUND: WireError = WireError::new("ERR", "Function not found");
/// No such library.
pub const LIBRARY_NOT_FOUND: WireError = WireError::new("ERR", "Library not found");
/// What a blocked client is told by `CLIENT UNBLOCK … ERROR`.
pub const UNBLOCKED: WireError = WireError::new("UNBLOCKED", "client unblocked via CLIENT UNBLOCK");
/// `SORT` of elements that are no numbers.
pub const SCORES_NOT_DOUBLES: WireError =
    WireError::new("ERR", "One or more scores can't be converted into double");
/// A key that is not there, where one is needed.
pub const NO_SUCH_KEY: WireError = WireError::new("ERR", "no such key");
/// `COPY` or `MOVE` to where the key is already.
pub const SAME_OBJECT: WireError =
    WireError::new("ERR", "source and destination objects are the same");
/// `SWAPDB` with a first argument that is no number.
pub const FIRST_DB_INVALID: WireError = WireError::new("ERR", "invalid first DB index");
/// `SWAPDB` with a second argument that is no number.
pub const SECOND_DB_INVALID: WireError = WireError::new("ERR", "invalid second DB index");
/// `SCAN` with something that is no cursor.
pub const INVALID_CURSOR: WireError = WireError::new("ERR", "invalid cursor");
/// `OBJECT FREQ` where uses are not counted.
pub const FREQ_NOT_TRACKED: WireError = WireError::new(
    "ERR",
    "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
/// `OBJECT IDLETIME` where uses are counted.
pub const IDLE_NOT_TRACKED: WireError = WireError::new(
    "ERR",
    "An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);
/// There is no room for what the command would write.
pub const OUT_OF_MEMORY: WireError =
    WireError::new("OOM", "command not allowed when used memory > 'maxmemory'.");
/// An index that no element has.
pub const INDEX_OUT_OF_RANGE: WireError = WireError::new("ERR", "index out of range");
/// A count below zero, or none at all.
pub const NOT_POSITIVE: WireError =
    WireError::new("ERR", "value is out of range, must be positive");
/// `LPOS` with a rank that no element has.
pub const RANK_IS_ZERO: WireError = WireError::new(
    "ERR",
    "RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
);
/// `LPOS` with a count below zero.
pub const COUNT_NEGATIVE: WireError = WireError::new("ERR", "COUNT can't be negative");
/// `LPOS` with a length below zero.
pub const MAXLEN_NEGATIVE: WireError = WireError::new("ERR", "MAXLEN can't be negative");
/// `ZADD` with `XX` and `NX`.
pub const ZADD_XX_AND_NX: WireError =
    WireError::new("ERR", "XX and NX options at the same time are not compatible");
/// `ZADD` with two of `GT`, `LT` and `NX`.
pub const ZADD_GT_LT_NX: WireError =
    WireError::new("ERR", "GT, LT, and/or NX options at the same time are not compatible");
/// `ZADD` with `INCR` and several members.
pub const ZADD_INCR_PAIRS: WireError =
    WireError::new("ERR", "INCR option supports a single increment-element pair");
/// A score would be the sum of both infinities.
pub const SCORE_IS_NAN: WireError = WireError::new("ERR", "resulting score is not a number (NaN)");
/// A range of scores without numbers.
pub const BOUND_NOT_A_FLOAT: WireError = WireError::new("ERR", "min or max is not a float");
/// A range of names without `[`, `(`, `-` or `+`.
pub const BOUND_NOT_A_STRING: WireError =
    WireError::new("ERR", "min or max not valid string range item");
/// `ZRANGE` by rank with `LIMIT`.
pub const LIMIT_BY_RANK: WireError = WireError::new(
    "ERR",
    "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
/// `ZRANGE` by name with scores.
pub const WITHSCORES_BY_LEX: WireError =
    WireError::new("ERR", "syntax error, WITHSCORES not supported in combination with BYLEX");
/// `ZUNION` with a weight that is no number.
pub const WEIGHT_NOT_A_FLOAT: WireError = WireError::new("ERR", "weight value is not a float");
/// A limit below 0.
pub const LIMIT_NEGATIVE: WireError = WireError::new("ERR", "LIMIT can't be negative");
/// A command on several keys of which there are none.
pub const NUMKEYS_NOT_POSITIVE: WireError =
    WireError::new("ERR", "numkeys should be greater than 0");
/// A count below 1.
pub const COUNT_NOT_POSITIVE: WireError = WireError::new("ERR", "count should be greater than 0");
/// The timeout of a blocking command that is no number.
pub const TIMEOUT_NOT_A_FLOAT: WireError =
    WireError::new("ERR", "timeout is not a float or out of range");
/// `CLIENT UNBLOCK` with a reason that does not exist.
pub const BAD_UNBLOCK_REASON: WireError =
    WireError::new("ERR", "CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
/// A string would become longer than `proto-max-bulk-len`.
pub const STRING_TOO_LONG: WireError =
    WireError::new("ERR", "string exceeds maximum allowed size (proto-max-bulk-len)");
/// `SETRANGE` before the beginning.
pub const OFFSET_OUT_OF_RANGE: WireError = WireError::new("ERR", "offset is out of range");
/// `SETBIT` or `GETBIT` of a bit that no string can have.
pub const BAD_BIT_OFFSET: WireError =
    WireError::new("ERR", "bit offset is not an integer or out of range");
/// `SETBIT` to something that is no bit.
pub const BAD_BIT: WireError = WireError::new("ERR", "bit is not an integer or out of range");
/// `BITPOS` of something that is no bit.
pub const BIT_ARGUMENT: WireError = WireError::new("ERR", "The bit argument must be 1 or 0.");
/// `BITOP NOT` of several keys.
pub const BITOP_NOT_SOURCES: WireError =
    WireError::new("ERR", "BITOP NOT must be called with a single source key.");
/// `LCS` of something that is no string.
pub const LCS_NOT_STRINGS: WireError =
    WireError::new("ERR", "The specified keys must contain string values");
/// `LCS` with `LEN` and `IDX`.
pub const LCS_LEN_AND_IDX: WireError =
    WireError::new("ERR", "If you want both the length and indexes, please just use IDX.");
/// `LCS` would need more memory than a string may have.
pub const LCS_TOO_LARGE: WireError = WireError::new(
    "ERR",
    "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
);
/// `LCS` did not get the memory that it needs.
pub const LCS_NO_MEMORY: WireError =
    WireError::new("ERR", "Insufficient memory, failed allocating transient memory for LCS");
/// A count that has no opposite.
pub const COUNT_OUT_OF_RANGE: WireError = WireError::new(
    "ERR",
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
/// A number that is too large.
pub const OUT_OF_RANGE: WireError = WireError::new("ERR", "value is out of range");
/// A count of which not even the opposite is a number.
pub const NOT_A_SIGNED_COUNT: WireError = WireError::new(
    "ERR",
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
/// `HINCRBY` of a value that is no number.
pub const HASH_VALUE_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "hash value is not an integer");
/// `HINCRBYFLOAT` of a value that is no number.
pub const HASH_VALUE_NOT_A_FLOAT: WireError = WireError::new("ERR", "hash value is not a float");
/// `HINCRBYFLOAT` by something that is not finite.
pub const INCREMENT_NOT_FINITE: WireError = WireError::new("ERR", "value is NaN or Infinity");
/// A count that has no opposite.
pub const NOT_A_LONG: WireError = WireError::new(
    "ERR",
    "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
/// `HEXPIRE` and others: the word before the number of fields. This and what follows: Redis 8.2.
pub const FIELDS_MISSING: WireError =
    WireError::new("ERR", "Mandatory argument FIELDS is missing or not at the right position");
/// `HTTL` and others with a number of fields below 1.
pub const N_FIELDS_NOT_POSITIVE: WireError =
    WireError::new("ERR", "Number of fields must be a positive integer");
/// `HEXPIRE` with a number of fields below 1.
pub const N_FIELDS_NOT_ABOVE_0: WireError =
    WireError::new("ERR", "Parameter `numFields` should be greater than 0");
/// `HSETEX` with a number of fields below 1.
pub const INVALID_N_FIELDS: WireError = WireError::new("ERR", "invalid number of fields");
/// Another number of fields than was said.
pub const N_FIELDS_MISMATCH: WireError =
    WireError::new("ERR", "The `numfields` parameter must match the number of arguments");
/// A time before the epoch.
pub const NEGATIVE_EXPIRE: WireError = WireError::new("ERR", "invalid expire time, must be >= 0");
/// `HSETEX` with `EX` at its end.
pub const EXPIRE_MISSING: WireError = WireError::new("ERR", "missing expire time");
/// `HSETEX` with two times.
pub const HSETEX_TIMES: WireError =
    WireError::new("ERR", "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
/// `HSETEX` with two conditions.
pub const HSETEX_CONDITIONS: WireError =
    WireError::new("ERR", "Only one of FXX or FNX arguments can be specified");
/// `CLIENT TRACKING` with two `REDIRECT`s.
pub const TWO_REDIRECTIONS: WireError =
    WireError::new("ERR", "A client can only redirect to a single other client");
/// `CLIENT TRACKING ... REDIRECT` to nobody.
pub const NO_SUCH_REDIRECTION: WireError =
    WireError::new("ERR", "The client ID you want redirect to does not exist");
/// `CLIENT TRACKING ... PREFIX` in the default mode.
pub const PREFIX_WITHOUT_BCAST: WireError =
    WireError::new("ERR", "PREFIX option requires BCAST mode to be enabled");
/// `CLIENT TRACKING ON` in the other mode.
pub const BCAST_SWITCHED: WireError = WireError::new(
    "ERR",
    "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
);
/// `CLIENT TRACKING` with words that exclude each other.
pub const OPT_WITH_BCAST: WireError =
    WireError::new("ERR", "OPTIN and OPTOUT are not compatible with BCAST");
/// `CLIENT TRACKING` with words that exclude each other.
pub const OPTIN_AND_OPTOUT: WireError =
    WireError::new("ERR", "You can't specify both OPTIN mode and OPTOUT mode");
/// `CLIENT TRACKING ON` in the other mode.
pub const OPT_SWITCHED: WireError = WireError::new(
    "ERR",
    "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
);
/// `CLIENT CACHING` of a client that does not track.
pub const CACHING_WITHOUT_TRACKING: WireError = WireError::new(
    "ERR",
    "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
);
/// `CLIENT CACHING YES` in another mode.
pub const CACHING_YES_WITHOUT_OPTIN: WireError = WireError::new(
    "ERR",
    "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
);
/// `CLIENT CACHING NO` in another mode.
pub const CACHING_NO_WITHOUT_OPTOUT: WireError = WireError::new(
    "ERR",
    "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
);

/// `RESTORE` without `REPLACE` of a key that is there.
pub const BUSY_KEY: WireError = WireError::new("BUSYKEY", "Target key name already exists.");
/// `RESTORE` with a time before now.
pub const INVALID_TTL: WireError = WireError::new("ERR", "Invalid TTL value, must be >= 0");
/// `RESTORE` with a negative `IDLETIME`.
pub const INVALID_IDLETIME: WireError =
    WireError::new("ERR", "Invalid IDLETIME value, must be >= 0");
/// `RESTORE` with a `FREQ` that is no counter.
pub const INVALID_FREQ: WireError =
    WireError::new("ERR", "Invalid FREQ value, must be >= 0 and <= 255");
/// `RESTORE` of something that is no value.
pub const BAD_DATA: WireError = WireError::new("ERR", "Bad data format");

/// Something that is not the ID of an entry.
pub const INVALID_STREAM_ID: WireError =
    WireError::new("ERR", "Invalid stream ID specified as stream command argument");
/// `XADD` with the ID before all others.
pub const STREAM_ID_ZERO: WireError =
    WireError::new("ERR", "The ID specified in XADD must be greater than 0-0");
/// `XADD` with an ID that does not come after the last one.
pub const STREAM_ID_TOO_SMALL: WireError = WireError::new(
    "ERR",
    "The ID specified in XADD is equal or smaller than the target stream top item",
);
/// `XADD` to a stream whose last ID is the last that there can be.
pub const STREAM_IDS_EXHAUSTED: WireError = WireError::new(
    "ERR",
    "The stream has exhausted the last possible ID, unable to add more items",
);
/// `XADD` of more than fits into a block.
pub const ELEMENTS_TOO_LARGE: WireError =
    WireError::new("ERR", "Elements are too large to be stored");
/// Two ways to trim.
pub const MAXLEN_AND_MINID: WireError = WireError::new(
    "ERR",
    "syntax error, MAXLEN and MINID options at the same time are not compatible",
);
/// A length below zero.
pub const TRIM_LENGTH_NEGATIVE: WireError =
    WireError::new("ERR", "The MAXLEN argument must be >= 0.");
/// A limit below zero.
pub const TRIM_LIMIT_NEGATIVE: WireError =
    WireError::new("ERR", "The LIMIT argument must be >= 0.");
/// A limit of what is not done.
pub const LIMIT_WITHOUT_STRATEGY: WireError = WireError::new(
    "ERR",
    "syntax error, LIMIT cannot be used without specifying a trimming strategy",
);
/// `XTRIM` without a word about what to keep.
pub const NO_TRIMMING_STRATEGY: WireError =
    WireError::new("ERR", "syntax error, XTRIM must be called with a trimming strategy");
/// A limit of what is done exactly.
pub const LIMIT_WITHOUT_TILDE: WireError =
    WireError::new("ERR", "syntax error, LIMIT cannot be used without the special ~ option");
/// An entry that its producer named, with an ID.
pub const IDMP_WITH_ID: WireError =
    WireError::new("ERR", "syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs");
/// Two producers.
pub const IDMP_TWICE: WireError =
    WireError::new("ERR", "syntax error, IDMP/IDMPAUTO specified multiple times");
/// A producer without a name.
pub const IDMPAUTO_WITHOUT_PRODUCER: WireError =
    WireError::new("ERR", "syntax error, IDMPAUTO requires a non-empty producer ID");
/// A producer without a name.
pub const IDMP_WITHOUT_PRODUCER: WireError =
    WireError::new("ERR", "syntax error, IDMP requires a non-empty producer ID");
/// An entry that its producer named with nothing.
pub const IDMP_WITHOUT_ID: WireError =
    WireError::new("ERR", "syntax error, IDMP requires a non-empty idempotent ID");
/// An interval after the last ID that there can be.
pub const INVALID_INTERVAL_START: WireError =
    WireError::new("ERR", "invalid start ID for the interval");
/// An interval before the first ID that there can be.
pub const INVALID_INTERVAL_END: WireError =
    WireError::new("ERR", "invalid end ID for the interval");
/// `XSETID` with a count below zero.
pub const ENTRIES_ADDED_NEGATIVE: WireError =
    WireError::new("ERR", "entries_added must be positive");
/// `XSETID` whose IDs contradict each other.
pub const SET_ID_BELOW_GIVEN_DELETED: WireError = WireError::new(
    "ERR",
    "The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
);
/// `XSETID` before the last entry.
pub const SET_ID_BELOW_TOP: WireError =
    WireError::new("ERR", "The ID specified in XSETID is smaller than the target stream top item");
/// `XSETID` with fewer entries than there are.
pub const ENTRIES_ADDED_BELOW_LENGTH: WireError = WireError::new(
    "ERR",
    "The entries_added specified in XSETID is smaller than the target stream length",
);
/// `XCFGSET` of one thing twice.
pub const IDMP_DURATION_TWICE: WireError =
    WireError::new("ERR", "IDMP-DURATION specified multiple times");
/// `XCFGSET` of one thing twice.
pub const IDMP_MAXSIZE_TWICE: WireError =
    WireError::new("ERR", "IDMP-MAXSIZE specified multiple times");
/// `XCFGSET` of too short or too long a time.
pub const IDMP_DURATION_OUTSIDE: WireError =
    WireError::new("ERR", "IDMP-DURATION must be between 1 and 86400 seconds");
/// `XCFGSET` of too few or too many.
pub const IDMP_MAXSIZE_OUTSIDE: WireError =
    WireError::new("ERR", "IDMP-MAXSIZE must be between 1 and 10000 entries");
/// `XCFGSET` of nothing.
pub const NO_PARAMETER: WireError =
    WireError::new("ERR", "At least one parameter must be specified");
/// `XIDMPRECORD` of a producer without a name.
pub const EMPTY_PRODUCER_ID: WireError = WireError::new("ERR", "producer ID must be non-empty");
/// `XIDMPRECORD` of an entry without a name.
pub const EMPTY_IDEMPOTENT_ID: WireError = WireError::new("ERR", "idempotent ID must be non-empty");
/// `XIDMPRECORD` of an entry that is not there.
pub const NO_SUCH_MESSAGE: WireError = WireError::new("ERR", "No such message in stream");
/// `XIDMPRECORD` of a name that another entry has.
pub const IDEMPOTENT_ID_TAKEN: WireError =
    WireError::new("ERR", "IID already exists for this producer with a different stream ID");
/// `XREAD` or `XREADGROUP` with a key too many.
pub const UNBALANCED_STREAMS: WireError = WireError::new(
    "ERR",
    "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.",
);
/// `XREADGROUP` of no group.
pub const NO_GROUP_OPTION: WireError = WireError::new("ERR", "Missing GROUP option for XREADGROUP");
/// `XREAD` with limits that contradict each other.
pub const MAXCOUNT_BELOW_COUNT: WireError =
    WireError::new("ERR", "MAXCOUNT must be greater than or equal to COUNT");
/// `XREAD` of nothing.
pub const MAXCOUNT_NOT_POSITIVE: WireError =
    WireError::new("ERR", "MAXCOUNT must be a positive integer");
/// `XREAD` of nothing.
pub const MAXSIZE_NOT_POSITIVE: WireError =
    WireError::new("ERR", "MAXSIZE must be a positive integer");
/// `XREADGROUP ... CLAIM` of no time.
pub const MIN_IDLE_NOT_AN_INTEGER: WireError =
    WireError::new("ERR", "min-idle-time is not an integer or out of range");
/// `XREADGROUP ... CLAIM` of a time below zero.
pub const MIN_IDLE_NEGATIVE: WireError =
    WireError::new("ERR", "min-idle-time must be a positive integer");
/// `XREAD` with `>`.
pub const NEW_ENTRIES_ARE_FOR_GROUPS: WireError = WireError::new(
    "ERR",
    "The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);
/// `XREADGROUP` with `$`.
pub const LAST_ID_IN_GROUP: WireError = WireError::new(
    "ERR",
    "The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
);
/// `XREADGROUP` with `+`.
pub const LAST_ENTRY_IN_GROUP: WireError = WireError::new(
    "ERR",
    "The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
);
/// `XGROUP` without a stream.
pub const GROUP_WITHOUT_STREAM: WireError = WireError::new(
    "ERR",
    "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);
/// `XGROUP CREATE` of a group that is there.
pub const BUSY_GROUP: WireError = WireError::new("BUSYGROUP", "Consumer Group name already exists");
/// `XGROUP ... ENTRIESREAD` with an impossible number.
pub const ENTRIES_READ_NEGATIVE: WireError =
    WireError::new("ERR", "value for ENTRIESREAD must be positive or -1");
/// `XAUTOCLAIM` with an impossible count.
pub const COUNT_NOT_ABOVE_0: WireError = WireError::new("ERR", "COUNT must be > 0");
/// `XDELEX` and `XACKDEL` with a number of IDs below 1. This and the next two: Redis 8.2.
pub const N_IDS_NOT_POSITIVE: WireError =
    WireError::new("ERR", "Number of IDs must be a positive integer");
/// Fewer IDs than were said.
pub const N_IDS_MISMATCH: WireError =
    WireError::new("ERR", "The `numids` parameter must match the number of arguments");
/// `XDELEX` and `XACKDEL` without IDs.
pub const IDS_REQUIRED: WireError = WireError::new("ERR", "IDS option is required");
/// `XNACK` with a mode that does not exist. This and what follows: Redis 8.8.
pub const BAD_NACK_MODE: WireError = WireError::new("ERR", "mode must be SILENT, FAIL, or FATAL");
/// `XNACK` with a number of IDs below 1.
pub const NACK_N_IDS_NOT_POSITIVE: WireError =
    WireError::new("ERR", "numids must be a positive integer");
/// `XNACK` with fewer IDs than were said.
pub const NACK_N_IDS_MISMATCH: WireError =
    WireError::new("ERR", "number of IDs doesn't match numids");
/// `XNACK` with an impossible number of deliveries.
pub const RETRYCOUNT_NEGATIVE: WireError =
    WireError::new("ERR", "Invalid RETRYCOUNT value, must be >= 0");
/// `XNACK` without IDs.
pub const NACK_IDS_REQUIRED: WireError =
    WireError::new("ERR", "syntax error, expected IDS keyword");
