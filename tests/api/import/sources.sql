-- The tables of the four designs, with their own statements, and rows as they are found: good ones and broken ones.
SET SESSION sql_mode = '', FOREIGN_KEY_CHECKS = 0;
ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;

CREATE TABLE `member` (
    `id` int(11) NOT NULL AUTO_INCREMENT,
    `name` varchar(125) NOT NULL DEFAULT '' COMMENT '账户',
    `password` varchar(50) NOT NULL DEFAULT '' COMMENT '密码,md5加密',
    `nickname` varchar(50) NOT NULL DEFAULT '' COMMENT '昵称',
    `created_at` DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT '创建时间',
    `updated_at` DATETIME NULL DEFAULT NULL COMMENT '更新时间',
    `avator` varchar(500) NOT NULL DEFAULT '' COMMENT '头像',
    `online_status` tinyint(4) NOT NULL DEFAULT 1 COMMENT '在线状态,1在线,2离线',
    `status` tinyint(4) NOT NULL DEFAULT '0' COMMENT '开启状态,0正常,1关闭',
    `email` varchar(125) NOT NULL DEFAULT '' COMMENT '绑定邮箱',
    `tel` varchar(125) NOT NULL DEFAULT '' COMMENT '绑定手机',
    `uuid` varchar(125) NOT NULL DEFAULT '' COMMENT 'uuid',
 PRIMARY KEY (`id`) COMMENT '自增主键索引',
 UNIQUE KEY `idx_name` (`name`) COMMENT '账户唯一索引',
 KEY `idx_tel` (`tel`) COMMENT '手机号索引',
 KEY `idx_email` (`email`) COMMENT '邮箱索引',
 KEY `idx_uuid` (`uuid`) COMMENT 'uuid索引',
 KEY `idx_updated_at` (`updated_at`) COMMENT '更新时间索引'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT '成员表';
CREATE TABLE chat_group (
    `id` INT NOT NULL AUTO_INCREMENT,
    `ent_id` varchar(100) NOT NULL DEFAULT ''  COMMENT '企业ID',
    `member_id` varchar(500) NOT NULL DEFAULT ''  COMMENT '成员ID',
    `group_name` VARCHAR(500) NOT NULL DEFAULT '' COMMENT '群名称',
    `uuid` VARCHAR(500) NOT NULL DEFAULT '' COMMENT '唯一ID',
    `member_type` tinyint(4) NOT NULL DEFAULT 2 COMMENT '成员类型,1管理,2成员',
    `unread` int(11) NOT NULL DEFAULT '0' COMMENT '未读消息数',
    `created_at` DATETIME DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`),
    KEY `uuid` (`uuid`)  COMMENT '唯一ID索引',
    KEY `member_id` (`member_id`)  COMMENT '成员ID索引',
    KEY `ent_id` (`ent_id`)  COMMENT '企业ID索引'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT '聊天群(写扩散)';
CREATE TABLE group_member (
    `id` INT NOT NULL AUTO_INCREMENT,
    `ent_id` varchar(100) NOT NULL DEFAULT ''  COMMENT '企业ID',
    `member_id` varchar(500) NOT NULL DEFAULT ''  COMMENT '成员ID',
    `member_name` varchar(500) NOT NULL DEFAULT ''  COMMENT '成员名称',
    `member_avatar` varchar(500) NOT NULL DEFAULT ''  COMMENT '成员头像',
    `group_id` VARCHAR(500) NOT NULL DEFAULT '' COMMENT '群ID',
    `member_type` tinyint(4) NOT NULL DEFAULT 2 COMMENT '成员类型,1管理,2成员',
    `created_at` DATETIME DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`),
    KEY `group_id` (`group_id`)  COMMENT '群ID索引',
    KEY `member_id` (`member_id`)  COMMENT '成员ID索引',
    KEY `ent_id` (`ent_id`)  COMMENT '企业ID索引'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT '聊天群成员(写扩散)';
CREATE TABLE group_message (
    `id` INT NOT NULL AUTO_INCREMENT,
    `ent_id` varchar(100) NOT NULL DEFAULT ''  COMMENT '企业ID',
    `sender` varchar(500) NOT NULL DEFAULT ''  COMMENT '发送成员ID',
    `sender_name` varchar(500) NOT NULL DEFAULT ''  COMMENT '发送成员名称',
    `sender_avatar` varchar(500) NOT NULL DEFAULT ''  COMMENT '发送成员头像',
    `group_id` VARCHAR(500) NOT NULL DEFAULT '' COMMENT '群ID',
    `message_type` tinyint(4) NOT NULL DEFAULT 1 COMMENT '消息类型,1消息,2通知',
    `message_content` TEXT DEFAULT NULL COMMENT '消息内容',
    `created_at` DATETIME DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`),
    KEY `group_id` (`group_id`)  COMMENT '群ID索引',
    KEY `sender` (`sender`)  COMMENT '发送成员ID索引',
    KEY `ent_id` (`ent_id`)  COMMENT '企业ID索引'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT '聊天群消息(读扩散)';
CREATE TABLE users (
  id INT AUTO_INCREMENT PRIMARY KEY,
  username VARCHAR(50) NOT NULL UNIQUE,
  password_hash VARCHAR(255) NOT NULL,
  role ENUM('customer', 'agent', 'admin') DEFAULT 'customer',
  email VARCHAR(100),
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE conversations (
  id INT AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  agent_id INT, -- 可为空,表示尚未分配
  status ENUM('open', 'closed', 'pending') DEFAULT 'open',
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  updated_at DATETIME ON UPDATE CURRENT_TIMESTAMP,
  FOREIGN KEY (customer_id) REFERENCES users(id),
  FOREIGN KEY (agent_id) REFERENCES users(id)
);
CREATE TABLE messages (
  id INT AUTO_INCREMENT PRIMARY KEY,
  conversation_id INT NOT NULL,
  sender_id INT NOT NULL,
  content TEXT NOT NULL,
  is_read TINYINT(1) DEFAULT 0,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  FOREIGN KEY (conversation_id) REFERENCES conversations(id) ON DELETE CASCADE,
  FOREIGN KEY (sender_id) REFERENCES users(id)
);
CREATE TABLE agent_status (
  agent_id INT PRIMARY KEY,
  status ENUM('online', 'offline', 'busy') DEFAULT 'offline',
  last_seen DATETIME DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  FOREIGN KEY (agent_id) REFERENCES users(id) ON DELETE CASCADE
);
CREATE TABLE `customer_service` (`id` int(11) NOT NULL AUTO_INCREMENT,`tenant_id` int(11) unsigned NOT NULL DEFAULT 0 COMMENT '所属商家ID',`pid` int(11) unsigned NOT NULL DEFAULT 0 COMMENT '父级ID(用于子账号)',`username` varchar(125) NOT NULL DEFAULT '' COMMENT '登录用户名',`password` varchar(255) NOT NULL DEFAULT '' COMMENT '加密密码',`salt` varchar(50) NOT NULL DEFAULT '' COMMENT '密码盐值',`nickname` varchar(50) NOT NULL DEFAULT '' COMMENT '显示名称',`avatar` varchar(500) NOT NULL DEFAULT '' COMMENT '头像URL',`email` varchar(125) NOT NULL DEFAULT '' COMMENT '绑定邮箱',`mobile` varchar(20) NOT NULL DEFAULT '' COMMENT '绑定手机',`role_type` tinyint(4) NOT NULL DEFAULT 1 COMMENT '角色(1普通客服2主管3管理员)',`skill_groups` varchar(255) NOT NULL DEFAULT '' COMMENT '技能组(逗号分隔)',`tags` varchar(255) NOT NULL DEFAULT '' COMMENT '标签(逗号分隔)',`max_accept` int(10) unsigned NOT NULL DEFAULT 10 COMMENT '最大接待量',`current_accept` int(10) unsigned NOT NULL DEFAULT 0 COMMENT '当前接待量',`online_status` tinyint(4) NOT NULL DEFAULT 2 COMMENT '在线状态(1在线2忙碌3小休4离线)',`status` tinyint(4) NOT NULL DEFAULT 1 COMMENT '状态(0禁用1正常)',`login_fail_count` tinyint(4) NOT NULL DEFAULT 0 COMMENT '连续登录失败次数',`lock_time` datetime DEFAULT NULL COMMENT '锁定时间',`last_login_time` datetime DEFAULT NULL COMMENT '最后登录时间',`last_login_ip` varchar(50) NOT NULL DEFAULT '' COMMENT '最后登录IP',`expire_time` datetime DEFAULT NULL COMMENT '账号过期时间',`created_at` datetime NOT NULL DEFAULT CURRENT_TIMESTAMP COMMENT '创建时间',`updated_at` datetime DEFAULT NULL COMMENT '更新时间',`deleted_at` datetime DEFAULT NULL COMMENT '删除时间',PRIMARY KEY (`id`),UNIQUE KEY `idx_username_tenant` (`username`, `tenant_id`) COMMENT '商家下用户名唯一',KEY `idx_tenant` (`tenant_id`) COMMENT '商家索引',KEY `idx_mobile` (`mobile`) COMMENT '手机索引',KEY `idx_email` (`email`) COMMENT '邮箱索引',KEY `idx_pid` (`pid`) COMMENT '父账号索引',KEY `idx_status` (`status`) COMMENT '状态索引',KEY `idx_online` (`online_status`) COMMENT '在线状态索引',KEY `idx_accept` (`current_accept`) COMMENT '接待量索引'
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='多商家客服用户表';
CREATE TABLE `message_info` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(100) NOT NULL COMMENT '消息名称',
  `type` tinyint(4) NOT NULL COMMENT '消息通道类型,1-模板消息,2-短信,3-EC',
  `tenant_id` int(11) NOT NULL,
  `template_id_short` varchar(100) DEFAULT NULL COMMENT '模板库中模板的编号,有“TM”和“OPENTMTM”等形式',
  `template_id` varchar(100) DEFAULT NULL,
  `content` longtext COMMENT '内容json',
  `conf` longtext COMMENT '模板内容对应的本地解析数据',
  `ctm` datetime NOT NULL,
  `utm` timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP COMMENT '更新时间',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
CREATE TABLE `message_rule` (
  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT '消息触发事件表',
  `title` varchar(100) NOT NULL,
  `key` varchar(100) NOT NULL COMMENT '规则关键字',
  `tenant_id` int(11) NOT NULL COMMENT '商户ID',
  `info_id` int(11) NOT NULL COMMENT '消息规则',
  `to_user` varchar(45) NOT NULL COMMENT '接受人,1(用户),2(工作人员) eg:1,2',
  `work_id` int(11) DEFAULT NULL,
  `status` tinyint(4) DEFAULT '1' COMMENT '状态,1-有效,0-无效',
  `ctm` datetime NOT NULL,
  `utm` timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
CREATE TABLE `message_send` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `tenant_id` int(11) NOT NULL,
  `rule_id` int(11) NOT NULL COMMENT '规则ID-message_rule',
  `info_id` int(11) NOT NULL COMMENT '消息模板ID-message_info',
  `user_type` tinyint(4) NOT NULL COMMENT '发送人性质,1-触发用户,2-工作人员',
  `msgid` int(11) DEFAULT NULL COMMENT '发送成功后返回的消息ID',
  `uid` int(11) DEFAULT NULL COMMENT '根据user_type判断,user_type=1时:wx_user_info中的ID,user_type=2时:message_work_user中的ID',
  `status` tinyint(4) NOT NULL DEFAULT '0' COMMENT '状态,0-未发送,1-成功,2-发送中,3-发送失败',
  `ctm` datetime NOT NULL COMMENT '发送时间',
  `stm` timestamp NULL DEFAULT NULL COMMENT '发送成功时间',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
CREATE TABLE `message_work_user` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `tenant_id` int(11) NOT NULL,
  `name` varchar(100) NOT NULL,
  `phone` varchar(50) DEFAULT NULL,
  `openid` varchar(500) DEFAULT NULL,
  `key` varchar(500) DEFAULT NULL COMMENT '用于处理二维码扫描时候的唯一标识',
  `status` tinyint(4) NOT NULL DEFAULT '1' COMMENT '状态,1-有效,0-无效',
  `ctm` datetime NOT NULL COMMENT '创建时间',
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

-- 123456; a disabled account with an address that is none; an account without a name.
INSERT INTO member (id, name, password, nickname, created_at, avator, status, email, tel, uuid) VALUES
    (1, 'Alice', 'e10adc3949ba59abbe56e057f20f883e', '爱丽丝', '2019-05-01 10:00:00', 'https://img.shop.example/a.png', 0, 'alice@example.com', '13800138000', 'u-1'),
    (2, 'bob', 'e10adc3949ba59abbe56e057f20f883e', 'Bob "B"', '2019-05-01 10:00:00', '', 1, 'nobody', 'call me', 'u-2'),
    (3, '', 'x', 'Nameless', '2019-05-01 10:00:00', '', 0, '', '', 'u-3'),
    (4, 'zero', 'plain', 'Zero', '0000-00-00 00:00:00', '', 0, '', '', 'u-4');
INSERT INTO chat_group (id, ent_id, member_id, group_name, uuid, member_type, unread, created_at) VALUES
    (1, '7', 'u-1', '售后 1001', 'chat-1', 1, 0, '2020-01-02 03:04:05'),
    (2, '7', 'wx-77', '售后 1001', 'chat-1', 2, 2, '2020-01-02 03:04:06'),
    (3, '7', 'u-1', '同事', 'chat-2', 1, 0, '2020-01-03 00:00:00'),
    (4, '7', '2', '同事', 'chat-2', 2, 0, '2020-01-03 00:00:00'),
    (5, '7', 'wx-1', 'two', 'chat-3', 2, 0, '2020-01-03 00:00:00'),
    (6, '7', 'wx-2', 'two', 'chat-3', 2, 0, '2020-01-03 00:00:00'),
    (7, '7', 'u-1', 'no id', '', 1, 0, '2020-01-03 00:00:00'),
    (8, '8', 'u-1', 'another merchant', 'chat-8', 1, 0, '2020-01-03 00:00:00');
INSERT INTO group_member (id, ent_id, member_id, member_name, member_avatar, group_id, member_type) VALUES
    (1, '7', 'u-1', '爱丽丝', '', 'chat-1', 1),
    (2, '7', 'wx-77', '客户小王', 'javascript:alert(1)', 'chat-1', 2),
    (3, '7', 'wx-77', '客户小王', '', 'nowhere', 2),
    (4, '8', 'u-1', '爱丽丝', '', 'chat-8', 1);
INSERT INTO group_message (id, ent_id, sender, sender_name, sender_avatar, group_id, message_type, message_content, created_at) VALUES
    (1, '7', '', '', '', 'chat-1', 2, '客户小王 来了', '2020-01-02 03:04:06'),
    (2, '7', 'wx-77', '小王', '', 'chat-1', 1, '你好,我的包裹在哪里? 😀 "quoted" \\ back', '2020-01-02 03:05:00'),
    (3, '7', 'u-1', '爱丽丝(早班)', 'https://img.shop.example/then.png', 'chat-1', 1, '明天到\n第二行', '2020-01-02 03:06:00'),
    (4, '7', 'ghost', '', '', 'chat-1', 1, 'who am I', '2020-01-02 03:07:00'),
    (5, '7', 'u-1', '', '', 'nowhere', 1, 'lost', '2020-01-02 03:07:00'),
    (6, '7', 'u-1', '', '', 'chat-1', 1, NULL, '2020-01-02 03:07:00'),
    (7, '7', 'u-1', '', '', 'chat-1', 1, 'no time', '0000-00-00 00:00:00'),
    (8, '7', 'u-1', '', '', 'chat-1', 1, REPEAT('长', 8000), '2020-01-02 03:08:00'),
    (9, '7', 'u-1', '', '', 'chat-1', 9, 'what', '2020-01-02 03:08:00'),
    (10, '7', '2', '', '', 'chat-2', 1, '开会', '2020-01-03 01:00:00'),
    (11, '8', 'u-1', '', '', 'chat-8', 1, 'theirs', '2020-01-03 01:00:00');

-- `password` in MD5; bcrypt; something else.
INSERT INTO users (id, username, password_hash, role, email, created_at) VALUES
    (1, 'mei', '5f4dcc3b5aa765d61d8327deb882cf99', 'customer', 'mei@example.com', '2021-01-01 00:00:00'),
    (2, 'tom', 'BCRYPT', 'agent', NULL, '2021-01-01 00:00:00'),
    (3, 'root', 'pbkdf2:whatever', 'admin', 'root@example.com', '2021-01-01 00:00:00'),
    (4, 'li', '5f4dcc3b5aa765d61d8327deb882cf99', 'customer', '', '2021-01-01 00:00:00'),
    (5, 'odd', '5f4dcc3b5aa765d61d8327deb882cf99', 'owner', '', '2021-01-01 00:00:00');
INSERT INTO conversations (id, customer_id, agent_id, status, created_at, updated_at) VALUES
    (1, 1, 2, 'closed', '2021-02-01 08:00:00', '2021-02-01 09:00:00'),
    (2, 1, NULL, 'open', '2021-02-02 08:00:00', NULL),
    (3, 1, NULL, 'open', '2021-02-03 08:00:00', NULL),
    (4, 4, 2, 'pending', '2021-02-04 08:00:00', NULL),
    (5, 99, NULL, 'open', '2021-02-05 08:00:00', NULL),
    (6, 2, NULL, 'open', '2021-02-05 08:00:00', NULL),
    (7, 4, 1, 'closed', '2021-02-05 08:00:00', NULL);
INSERT INTO messages (id, conversation_id, sender_id, content, is_read, created_at) VALUES
    (1, 1, 1, '您好,我想咨询产品问题', 1, '2021-02-01 08:00:01'),
    (2, 1, 2, 'Which one?', 1, '2021-02-01 08:10:00'),
    (3, 1, 2, 'Are you there?', 0, '2021-02-01 08:20:00'),
    (4, 2, 1, 'Again me', 0, '2021-02-02 08:00:00'),
    (5, 4, 4, 'Where is it?', 1, '2021-02-04 08:00:00'),
    (6, 4, 2, 'On its way', 0, '2021-02-04 08:01:00'),
    (7, 5, 1, 'of a conversation that is not there', 0, '2021-02-04 08:01:00'),
    (8, 1, 77, 'of nobody', 0, '2021-02-04 08:01:00'),
    (9, 1, 1, '   ', 0, '2021-02-04 08:01:00'),
    (10, 3, 1, 'A third time', 0, '2021-02-03 08:00:00'),
    (11, 1, 1, CONCAT('nul', CHAR(0), 'nul'), 0, '2021-02-03 08:00:00');
INSERT INTO agent_status (agent_id, status, last_seen) VALUES
    (2, 'online', '2021-03-01 00:00:00'), (98, 'busy', '2021-03-01 00:00:00');

-- MD5 of `secretpepper`; a parent that comes later; a role above its parent's; a deleted one; another merchant's.
INSERT INTO customer_service (id, tenant_id, pid, username, password, salt, nickname, mobile, role_type, skill_groups, tags, max_accept, status, last_login_time, last_login_ip, expire_time, created_at, deleted_at) VALUES
    (1, 7, 0, 'boss', 'BCRYPT', '', 'Boss', '', 3, '', '', 10, 1, '2022-01-01 00:00:00', '203.0.113.9', '2999-01-01 00:00:00', '2020-01-01 00:00:00', NULL),
    (2, 7, 3, 'tom', MD5('secretpepper'), 'pepper', 'Tom', '13900139000', 1, '退款,refunds, ,退款', 'vip,night', 4000, 1, NULL, '', NULL, '2020-01-01 00:00:00', NULL),
    (3, 7, 1, 'chief', 'BCRYPT', '', 'Chief', '', 2, '', '', 5, 1, NULL, '', NULL, '2020-01-01 00:00:00', NULL),
    (4, 7, 3, 'above', 'BCRYPT', '', 'Above', '', 3, '', '', 5, 1, NULL, '', NULL, '2020-01-01 00:00:00', NULL),
    (5, 7, 0, 'gone', 'BCRYPT', '', 'Gone', '', 1, '', '', 5, 1, NULL, '', NULL, '2020-01-01 00:00:00', '2021-01-01 00:00:00'),
    (6, 8, 0, 'theirs', 'BCRYPT', '', 'Theirs', '', 1, '', '', 5, 1, NULL, '', NULL, '2020-01-01 00:00:00', NULL),
    (7, 7, 99, 'orphan', 'BCRYPT', '', 'Orphan', '', 1, '', '', 5, 0, NULL, '', NULL, '2020-01-01 00:00:00', NULL),
    (8, 7, 0, 'king', 'BCRYPT', '', 'King', '', 9, '', '', 5, 1, NULL, '', NULL, '2020-01-01 00:00:00', NULL);

INSERT INTO message_info (id, name, type, tenant_id, template_id_short, template_id, content, conf, ctm, utm) VALUES
    (1, '订单支付成功', 1, 7, 'OPENTM200746866', 'wx-template-1', '{"first": {"value": "已支付", "color": "#173177"}, "keyword1": {"value": "1001"}}', '{"keyword1": "order"}', '2015-04-28 00:00:00', '2015-05-01 00:00:00'),
    (2, '验证码', 2, 7, NULL, 'SMS_1', '{"code": "1234"}', '{"code": "code"}', '2015-04-28 00:00:00', NULL),
    (3, '到货', 3, 7, NULL, NULL, '{"title": "到货", "body": "您的订单"}', NULL, '2015-04-28 00:00:00', NULL),
    (4, 'broken', 1, 7, NULL, 'wx', '{"first": ', NULL, '2015-04-28 00:00:00', NULL),
    (5, 'theirs', 3, 8, NULL, NULL, 'theirs', NULL, '2015-04-28 00:00:00', NULL);
INSERT INTO message_work_user (id, tenant_id, name, phone, openid, `key`, status, ctm) VALUES
    (1, 7, '老王', '13800138000', 'oABC', 'k', 1, '2015-04-28 00:00:00'),
    (2, 7, 'Old', 'none', NULL, NULL, 0, '2015-04-28 00:00:00');
INSERT INTO message_rule (id, title, `key`, tenant_id, info_id, to_user, work_id, status, ctm) VALUES
    (1, '到货通知', 'goods.arrived', 7, 3, '1,2', 1, 1, '2015-04-29 00:00:00'),
    (2, '支付', 'order.paid', 7, 1, '1', NULL, 1, '2015-04-29 00:00:00'),
    (3, 'key', '订单', 7, 3, '1', NULL, 1, '2015-04-29 00:00:00'),
    (4, 'nobody', 'nobody', 7, 3, '2', 44, 1, '2015-04-29 00:00:00'),
    (5, 'off', 'goods.gone', 7, 3, '1', NULL, 0, '2015-04-29 00:00:00');
INSERT INTO message_send (id, tenant_id, rule_id, info_id, user_type, msgid, uid, status, ctm, stm) VALUES
    (1, 7, 1, 3, 2, 900, 1, 1, '2015-05-01 00:00:00', '2015-05-01 00:00:02'),
    (2, 7, 1, 3, 1, NULL, 5, 3, '2015-05-02 00:00:00', NULL),
    (3, 7, 1, 3, 2, NULL, 1, 0, '2015-05-03 00:00:00', NULL),
    (4, 7, 1, 3, 2, NULL, 1, 2, '2015-05-04 00:00:00', NULL),
    (5, 7, 99, 3, 2, NULL, 1, 1, '2015-05-05 00:00:00', NULL),
    (6, 7, 1, 3, 2, NULL, 1, 7, '2015-05-05 00:00:00', NULL);
